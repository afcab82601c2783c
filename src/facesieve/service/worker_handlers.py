"""The routes that need a worker: pictures, and measures that are judged again."""

from __future__ import annotations

import asyncio

from facesieve.service.admission import Place
from facesieve.service.answers import AnswerOptions, encoded
from facesieve.service.api_errors import ApiError, ErrorCode, error_of
from facesieve.service.body import Body, PictureBytes, WholeBody
from facesieve.service.form import OVERHEAD, Form, is_form
from facesieve.service.options import options_of, query_of
from facesieve.service.precheck import precheck
from facesieve.service.request import Request
from facesieve.service.sieve_reply import SieveOptions, SieveReply
from facesieve.service.text import is_text, picture_of, picture_of_field, text_bytes, url_of
from facesieve.service.worker import PictureReply

# Time reserved before the deadline for sending the answer: seconds, and the largest share of the time that is left.
_TO_ANSWER, _TO_ANSWER_SHARE = 0.5, 0.1


class WorkerRoute(Request):
    """A route that needs a worker."""

    method = "POST"
    open_to_all = False

    def check_first(self) -> None:
        if not self.service.workers.can_serve:
            raise ApiError(ErrorCode.NOT_READY, headers={"Retry-After": "1"})
        self.check_again()

    def check_again(self) -> None:
        if not self.service.admission.admits(self.client):
            raise self.service.admission.busy()


class PictureRoute(WorkerRoute):
    """A route that accepts pictures. takes_clips: whether it also accepts clips, if the service does."""

    takes_clips = False

    @property
    def clips(self) -> bool:
        """Whether this request may be a clip."""
        return self.takes_clips and self.service.settings.accept_video

    @property
    def largest_file(self) -> int:
        """Bytes of the largest picture or clip."""
        settings = self.service.settings
        return max(settings.max_image_bytes, settings.max_video_bytes) if self.clips else settings.max_image_bytes

    def form(self, at_most: int) -> Form:
        """The collector for the pictures of a form. Raises ApiError."""
        return Form(self.request.headers, at_most, self.largest_file)

    async def read(self, picture: PictureBytes) -> None:
        """Decode the picture if it is text, and check it. Raises ApiError if it can be refused without a worker."""
        try:
            if picture.text:
                picture.content = await picture_of_field(picture.content, self.service.time_slices)
            async with self.service.time_slices:
                precheck(picture.content, self.service.pictures, self.service.settings.formats, self.clips)
        except ApiError as error:
            self.service.metrics.pictures.labels(error.code).inc()
            raise

    async def process(self, place: Place, picture: PictureBytes, options: AnswerOptions) -> PictureReply:
        """A worker's reply to one picture, counted. Raises ApiError if the picture was refused."""
        size = len(picture.content)

        def delivered() -> None:
            picture.content = b""
            self.receiver.release(size)

        reply: PictureReply = await place.process(options, picture.content, delivered)
        self.service.metrics.count(reply)
        self.notes["faces"] = self.notes.get("faces", 0) + reply.faces
        self.notes["kept"] = self.notes.get("kept", 0) + reply.kept
        if reply.refusal == ErrorCode.INTERNAL:
            self.service.log.error("failure", request_id=self.request_id, exception=reply.message)
            raise ApiError(ErrorCode.INTERNAL)
        if reply.refusal:
            raise error_of(reply.refusal, reply.message)
        return reply

    async def answer_one(self, picture: PictureBytes, options: AnswerOptions) -> None:
        """Answer a request for one picture."""
        await self.read(picture)
        async with self.service.admission.admit(self.client, self.deadline) as place:
            reply = await self.process(place, picture, options)
        self.set_header("Server-Timing", f"wait;dur={place.waited * 1e3:.1f}, work;dur={reply.seconds * 1e3:.1f}")
        self.reply(reply.body)


class Upload(PictureRoute):
    route = "/upload"

    @property
    def largest_body(self) -> int:
        return min(self.service.settings.max_image_bytes + OVERHEAD, self.service.settings.max_request_bytes)

    def body(self) -> Body:
        self._form = self.form(1)
        return self._form

    async def answer(self) -> None:
        [picture] = self._form.pictures()
        await self.answer_one(picture, AnswerOptions("reference", self.service.policy))


class Uploads(PictureRoute):
    route = "/uploads"

    @property
    def largest_body(self) -> int:
        return self.service.settings.max_request_bytes

    def body(self) -> Body:
        self._form = self.form(self.service.settings.max_images)
        return self._form

    async def answer(self) -> None:
        pictures = self._form.pictures()
        self.notes["pictures"] = len(pictures)
        async with self.service.admission.admit(self.client, self.deadline) as place:
            entries = await self._entries(place, pictures)
        self.reply(b"[" + b",".join(entries) + b"]")

    async def _entries(self, place: Place, pictures: list[PictureBytes]) -> list[bytes]:
        """One entry per picture, in order. A picture that is late for the deadline gets an error entry."""
        options = AnswerOptions("reference", self.service.policy)
        entries = [b""] * len(pictures)
        numbers = iter(range(len(pictures)))

        async def one_after_another() -> None:
            for number in numbers:
                entries[number] = await self._entry(place, pictures[number], options)
                self.receiver.keep(len(entries[number]))

        # As many pictures at once as there are workers, so that one request can use all free workers.
        tasks = [
            asyncio.ensure_future(one_after_another()) for _ in range(min(self.service.admission.slots, len(pictures)))
        ]
        try:
            left = self.deadline - self.loop.time()
            await asyncio.wait(tasks, timeout=left - min(_TO_ANSWER, left * _TO_ANSWER_SHARE))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if place.lost:
            raise self.service.admission.busy()
        if late := entries.count(b""):
            self.notes["late"] = late
            self.service.metrics.pictures.labels(ErrorCode.DEADLINE.value).inc(late)
        too_late = encoded({"error": ApiError(ErrorCode.DEADLINE).as_json()})
        return [entry or too_late for entry in entries]

    async def _entry(self, place: Place, picture: PictureBytes, options: AnswerOptions) -> bytes:
        """The answer for one picture, or an entry with the error if it is refused."""
        try:
            await self.read(picture)
            return (await self.process(place, picture, options)).body
        except ApiError as error:
            self.notes["refused"] = self.notes.get("refused", 0) + 1
            return encoded({"error": error.as_json()})
        except Exception as error:
            self.service.log.error("failure", request_id=self.request_id, exc_info=error)
            return encoded({"error": ApiError(ErrorCode.INTERNAL).as_json()})
        finally:
            picture.content = b""


class Faces(PictureRoute):
    """The picture is the body, as bytes or as text, the only file of a form, or behind the URL in the body."""

    route = "/v1/faces"
    takes_clips = True

    @property
    def largest_body(self) -> int:
        settings, largest = self.service.settings, self.largest_file
        if is_form(self.request.headers):
            largest += OVERHEAD
        elif is_text(self.request.headers.get("Content-Type", "")):
            largest = text_bytes(largest)
        return min(largest, settings.max_request_bytes)

    def check_first(self) -> None:
        self._options = options_of(query_of(self.request.query_arguments), self.service.policy, self.clips)
        super().check_first()

    def body(self) -> Body:
        self._form = self.form(1) if is_form(self.request.headers) else None
        self._whole = WholeBody()
        return self._form or self._whole

    async def answer(self) -> None:
        if self._form is None:
            picture = await self._from_body()
        else:
            [picture] = self._form.pictures()
        await self.answer_one(picture, self._options)

    async def _from_body(self) -> PictureBytes:
        async with self.service.time_slices:
            body = self._whole.content()
            url = url_of(body)
        if url is not None:
            return PictureBytes(await self._fetched(url))
        said_to_be_text = is_text(self.request.headers.get("Content-Type", ""))
        return PictureBytes(await picture_of(body, self.service.time_slices, said_to_be_text))

    async def _fetched(self, url: str) -> bytes:
        """The picture behind a URL. Raises ApiError."""
        if self.service.fetches is None:
            raise ApiError(ErrorCode.URLS_NOT_ACCEPTED)
        began = self.loop.time()
        data = await self.service.fetches.fetch(self.client, url, self.deadline, self.receiver.hold)
        self.notes |= {"fetched": len(data), "fetch_ms": round((self.loop.time() - began) * 1e3, 1)}
        return data


class Sieve(WorkerRoute):
    """Measures in, verdicts out. A worker judges them, because many rows would block the event loop for too long."""

    route = "/v1/sieve"

    @property
    def largest_body(self) -> int:
        return self.service.settings.max_json_bytes

    def body(self) -> Body:
        self._whole = WholeBody()
        return self._whole

    async def answer(self) -> None:
        async with self.service.admission.admit(self.client, self.deadline) as place:
            options = SieveOptions(self.service.policy)
            judged: SieveReply = await place.process(options, self._whole.content(), self.receiver.drop)
        self.reply(judged.answer())

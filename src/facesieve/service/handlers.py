"""The routes: each says what it takes and what it answers."""

from __future__ import annotations

import asyncio

from facesieve.service import metrics
from facesieve.service.answers import Wish, encoded
from facesieve.service.body import Body, Whole
from facesieve.service.faults import Fault, FaultCode
from facesieve.service.form import OVERHEAD, Form, Part, is_form
from facesieve.service.gate import Place
from facesieve.service.judging import Judged, SieveWish
from facesieve.service.looks import look
from facesieve.service.options import query_of, wish_of
from facesieve.service.page import Page
from facesieve.service.request import Request
from facesieve.service.text import is_text, picture_of, picture_of_field, text_bytes
from facesieve.service.worker import Reply

# The time to send an answer is kept free before the deadline: seconds, and the most as a share of what is left.
_TO_ANSWER, _TO_ANSWER_SHARE = 0.5, 0.1


class Nowhere(Request):
    """Every path that is no route."""

    route = "none"

    def _check_method(self) -> None:
        """A path that is not there takes no method, and no body either: that is the first thing to say."""
        raise Fault(FaultCode.NOT_FOUND)


class Live(Request):
    route = "/livez"

    async def answer(self) -> None:
        self.write_json(encoded({"status": "live"}))


class Ready(Request):
    route = "/readyz"

    async def answer(self) -> None:
        if not self.service.ready or self.service.stopping:
            raise Fault(FaultCode.NOT_READY)
        self.write_json(encoded({"status": "ready"}))


class Numbers(Request):
    """Metrics; open or not by setting."""

    route = "/metrics"

    @property
    def open_to_all(self) -> bool:  # type: ignore[override]
        return self.service.settings.open_metrics

    async def answer(self) -> None:
        self.set_header("Content-Type", metrics.CONTENT_TYPE)
        self.write(self.service.metrics.text())


class OpenApi(Request):
    route = "/openapi.json"

    async def answer(self) -> None:
        self.write_json(self.service.openapi)


class Tool(Request):
    route = "/"

    async def answer(self) -> None:
        _show(self, self.service.tool)


class Docs(Request):
    route = "/docs"

    async def answer(self) -> None:
        _show(self, self.service.docs)


class Work(Request):
    """A route that needs workers."""

    method = "POST"
    open_to_all = False

    def check_first(self) -> None:
        if not self.service.ready:
            raise Fault(FaultCode.NOT_READY, headers={"Retry-After": "1"})
        self.check_again()

    def check_again(self) -> None:
        if not self.service.gate.admits(self.client):
            raise self.service.gate.no()


class Pictures(Work):
    """A route that takes pictures."""

    def look(self, image: bytes) -> None:
        """Raises Fault for a picture that need not wait for a worker to be refused."""
        look(image, self.service.pictures, self.service.settings.formats)

    async def ask(self, place: Place, image: bytes, wish: Wish) -> Reply:
        """What a worker says of one picture, counted. Raises Fault where it gave no pixels."""
        size = len(image)
        reply: Reply = await place.ask(wish, image, lambda: self.let_go(size))
        self.service.metrics.count(reply)
        self.notes["faces"] = self.notes.get("faces", 0) + reply.faces
        self.notes["kept"] = self.notes.get("kept", 0) + reply.kept
        if reply.refusal == FaultCode.INTERNAL:
            self.service.log.error("failure", request_id=self.request_id, exception=reply.message)
            raise Fault(FaultCode.INTERNAL)
        if reply.refusal:
            raise Fault.of_picture(reply.refusal, reply.message)
        return reply

    def form(self, at_most: int) -> Form:
        """What collects the pictures of a form. Raises Fault."""
        return Form(self.request.headers, at_most, self.service.settings.max_image_bytes)

    async def picture(self, part: Part) -> bytes:
        """The picture of a field, which may be text. Raises Fault."""
        return await picture_of_field(part.content, self.service.turns) if part.text else part.content

    async def one(self, image: bytes, wish: Wish) -> None:
        """Answer with what is said of one picture."""
        self.look(image)
        async with self.service.gate.admit(self.client, self.deadline) as place:
            reply = await self.ask(place, image, wish)
        self.set_header("Server-Timing", f"wait;dur={place.waited * 1e3:.1f}, work;dur={reply.seconds * 1e3:.1f}")
        self.write_json(reply.body)


class Upload(Pictures):
    route = "/upload"

    @property
    def largest_body(self) -> int:
        return min(self.service.settings.max_image_bytes + OVERHEAD, self.service.settings.max_request_bytes)

    def body(self) -> Body:
        self._form = self.form(1)
        return self._form

    async def answer(self) -> None:
        [part] = self._form.parts()
        await self.one(await self.picture(part), Wish("reference", self.service.policy))


class Uploads(Pictures):
    route = "/uploads"

    @property
    def largest_body(self) -> int:
        return self.service.settings.max_request_bytes

    def body(self) -> Body:
        self._form = self.form(self.service.settings.max_images)
        return self._form

    async def answer(self) -> None:
        found = self._form.parts()
        wish = Wish("reference", self.service.policy)
        self.notes["pictures"] = len(found)
        async with self.service.gate.admit(self.client, self.deadline) as place:
            entries = await self._entries(place, found, wish)
        self.write_json(b"[" + b",".join(entries) + b"]")

    async def _entries(self, place: Place, found: list[Part], wish: Wish) -> list[bytes]:
        """An answer for each picture, in order; what is not done shortly before the deadline is an error entry."""
        entries = [encoded({"error": Fault(FaultCode.DEADLINE).error()})] * len(found)
        numbers = iter(range(len(found)))

        async def one_after_another() -> None:
            for number in numbers:
                entries[number] = await self._entry(place, found[number], wish)

        # As many at once as there are workers; what is free works for this request.
        tasks = [asyncio.ensure_future(one_after_another()) for _ in range(min(self.service.gate.seats, len(found)))]
        try:
            left = self.deadline - self.loop.time()
            await asyncio.wait(tasks, timeout=left - min(_TO_ANSWER, left * _TO_ANSWER_SHARE))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if place.lost:
            raise self.service.gate.no()
        return entries

    async def _entry(self, place: Place, part: Part, wish: Wish) -> bytes:
        """A bad picture is an entry with its error; the others are not touched by it."""
        try:
            image = await self.picture(part)
            self.look(image)
            return (await self.ask(place, image, wish)).body
        except Fault as fault:
            return encoded({"error": fault.error()})
        except Exception as error:
            self.service.log.error("failure", request_id=self.request_id, exc_info=error)
            return encoded({"error": Fault(FaultCode.INTERNAL).error()})


class Faces(Pictures):
    """The picture is the body, as bytes or as text, or the one file of a form."""

    route = "/v1/faces"

    @property
    def largest_body(self) -> int:
        settings, largest = self.service.settings, self.service.settings.max_image_bytes
        if is_form(self.request.headers):
            largest += OVERHEAD
        elif is_text(self.request.headers.get("Content-Type", "")):
            largest = text_bytes(largest)
        return min(largest, settings.max_request_bytes)

    def check_first(self) -> None:
        self._wish = wish_of(query_of(self.request.query_arguments), self.service.policy)
        super().check_first()

    def body(self) -> Body:
        self._form = self.form(1) if is_form(self.request.headers) else None
        self._whole = Whole()
        return self._form or self._whole

    async def answer(self) -> None:
        if self._form is None:
            async with self.service.turns:
                body = self._whole.content()
            said_to_be_text = is_text(self.request.headers.get("Content-Type", ""))
            image = await picture_of(body, self.service.turns, said_to_be_text)
        else:
            [part] = self._form.parts()
            image = await self.picture(part)
        await self.one(image, self._wish)


class Sieve(Work):
    """Measures in, verdicts out. A worker judges, for many rows take longer than the event loop may."""

    route = "/v1/sieve"

    @property
    def largest_body(self) -> int:
        return self.service.settings.max_json_bytes

    def body(self) -> Body:
        self._whole = Whole()
        return self._whole

    async def answer(self) -> None:
        content = self._whole.content()
        async with self.service.gate.admit(self.client, self.deadline) as place:
            judged: Judged = await place.ask(SieveWish(self.service.policy), content, lambda: self.let_go(len(content)))
        self.write_json(judged.answer())


def _show(request: Request, page: Page) -> None:
    request.set_header("Content-Type", "text/html; charset=utf-8")
    request.set_header("Content-Security-Policy", page.policy)
    request.set_header("Referrer-Policy", "no-referrer")
    request.write(page.html)

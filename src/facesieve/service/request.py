"""What all routes share: method, token, limits and deadline before the answer; errors, log and metrics after it."""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from typing import Any, cast

from tornado.iostream import IOStream, StreamClosedError
from tornado.web import RequestHandler, stream_request_body

from facesieve.service.api_errors import ApiError, ErrorCode, request_id_of
from facesieve.service.body import Body, WholeBody
from facesieve.service.client import network_of
from facesieve.service.cors import cors_headers, preflight_headers
from facesieve.service.error_response import error_json
from facesieve.service.receiver import Receiver
from facesieve.service.shared import Service
from facesieve.service.tokens import token_of
from facesieve.service.wire_exchange import Exchange

_GONE = 499  # not an HTTP status; log and metrics use it if the client did not read the answer
JSON = "application/json; charset=utf-8"


class RequestState(Enum):
    """The states of a request; see the table in `Request`."""

    RECEIVING = auto()
    REFUSED = auto()
    WORKING = auto()
    SENDING = auto()
    ENDED = auto()


@stream_request_body
class Request(RequestHandler):
    """The base class of routes. A route has a method, may be open to all, limits its body, and makes its `answer`.

    | state     | meaning                                          | next                                         |
    |-----------|--------------------------------------------------|----------------------------------------------|
    | receiving | the body arrives                                 | working at its end; refused if it is not     |
    |           |                                                  | accepted; ended if the client leaves         |
    | refused   | an error was sent; the rest of the body is read  | ended at the end of the body, or when the    |
    |           | and dropped                                      | client leaves                                |
    | working   | the route makes its answer                       | sending; ended if the client leaves          |
    | sending   | the answer is on its way                         | ended when it is sent, or not read in time   |
    | ended     | the request is counted and logged                |                                              |

    A refused body is read to its end because closing earlier would reset the connection, and the client would never
    read the answer.
    """

    method = "GET"
    route = ""
    open_to_all = True

    def initialize(self, service: Service) -> None:
        self.service = service
        self.loop = asyncio.get_running_loop()
        self.started = self.loop.time()
        self.deadline = self.started + service.settings.deadline
        self.client = (token_of(self.request.headers), network_of(str(self.request.remote_ip)))
        self.state = RequestState.RECEIVING
        self.code = ""
        self.notes: dict[str, Any] = {}
        self.receiver = Receiver(service.admission, service.time_slices, self.client)
        self._content: bytes | str = b""
        self._work: asyncio.Task[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._exchange.set_malformed_callback(self._malformed)
        self._add_cors_headers()
        service.active.add(self)

    def set_default_headers(self) -> None:
        """Set a request id, forbid caching and guesses of content types, and hide the version of the server."""
        self.request_id = request_id_of(self.request.headers)
        self.clear_header("Server")
        self.set_header("X-Request-ID", self.request_id)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")

    def compute_etag(self) -> None:
        """Set no ETag, because nothing is cached."""

    # overridden by routes

    @property
    def largest_body(self) -> int:
        """Bytes of the largest body that the route accepts."""
        return 0

    def check_first(self) -> None:
        """Check what can be checked before the body is read. Raises ApiError."""

    def check_again(self) -> None:
        """Check again while the body arrives. Raises ApiError if the request can no longer be served."""

    def body(self) -> Body:
        """The collector for the body. Raises ApiError."""
        return WholeBody()

    async def answer(self) -> None:
        """Make the answer and pass it to `reply`. Raises ApiError."""
        raise ApiError(ErrorCode.NOT_FOUND)

    def reply(self, content: bytes | str, kind: str = JSON) -> None:
        """Set the body of the answer and its Content-Type."""
        self.set_header("Content-Type", kind)
        self._content = content

    # called by the service

    @property
    def stream(self) -> IOStream:
        """The connection of the request."""
        return self._exchange.stream

    @property
    def refused(self) -> bool:
        """Whether an error was sent before the body had arrived, so that the rest of the body is dropped."""
        return self.state is RequestState.REFUSED

    def cut_off(self) -> None:
        """Answer now, because the service ends."""
        if self._work is not None:
            self._work.cancel()
        else:
            self._body_timeout()

    # called by Tornado

    async def prepare(self) -> None:
        try:
            self._check_method()
            if self.request.method != "OPTIONS":
                self._check_rest()
        except ApiError as error:
            await self._refuse(error)
        else:
            self._alarm = self.loop.call_at(self.deadline, self._body_timeout)

    async def data_received(self, chunk: bytes) -> None:
        if self.state is not RequestState.RECEIVING:
            return
        try:
            await self.receiver.feed(chunk)
        except ApiError as error:
            await self._refuse(error)
        except Exception as error:
            await self._refuse(self._failure(error))

    async def respond(self) -> None:
        """Answer when the whole body has arrived."""
        if self._alarm is not None:
            self._alarm.cancel()
        if self.state is RequestState.RECEIVING:
            self.state = RequestState.WORKING
            await self._make_answer()
        if self.state is RequestState.ENDED:
            return
        if self.state is RequestState.WORKING:
            self.state = RequestState.SENDING
            if self.service.stopping:
                self.set_header("Connection", "close")
        self.receiver.drop()
        await self._send()
        self._end()

    get = post = put = patch = delete = head = options = respond

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer errors that Tornado finds itself."""
        error = ApiError(ErrorCode.BAD_REQUEST if status_code < 500 else ErrorCode.INTERNAL)
        if status_code == 405:  # Tornado does not know the method
            try:
                self._check_method()
            except ApiError as refused:
                error = refused
        self._add_cors_headers()
        self._compose(error)
        self.finish(self._content)
        self._end()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        if self._work is not None:
            self._work.cancel()
        if self.state is RequestState.REFUSED:
            self._end()
        else:
            self._end(_GONE, "client_gone")

    # the steps of a request

    @property
    def _exchange(self) -> Exchange:
        return cast(Exchange, self.request.connection)

    def _add_cors_headers(self) -> None:
        for name, value in cors_headers(self.request.headers, self.service.settings.allowed_origins).items():
            self.set_header(name, value)

    def _preflight(self) -> dict[str, str]:
        """The headers of the answer to a preflight; empty if the page may not use this route."""
        return preflight_headers(self.request.headers, self.method, self.service.settings.allowed_origins)

    def _check_method(self) -> None:
        if self.request.method == "OPTIONS" and self._preflight():
            return
        allowed = ("GET", "HEAD") if self.method == "GET" else (self.method,)
        if self.request.method not in allowed:
            raise ApiError(ErrorCode.METHOD_NOT_ALLOWED, headers={"Allow": ", ".join(allowed)})

    def _check_rest(self) -> None:
        if not self.open_to_all:
            self._check_token()
        self.receiver.limit(self.request.headers, self.largest_body)
        self.check_first()
        self.receiver.collect(self.body(), self.check_again)

    def _check_token(self) -> None:
        token = token_of(self.request.headers)
        if not token:
            raise ApiError(ErrorCode.UNAUTHORIZED, headers={"WWW-Authenticate": "Bearer"})
        if not self.service.tokens.accept(token):
            raise ApiError(ErrorCode.FORBIDDEN)

    async def _make_answer(self) -> None:
        """Let the route answer. The work is cancelled if the client leaves."""
        self._work = self.loop.create_task(self._answer())
        try:
            await self._work
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            self._compose(ApiError(ErrorCode.DEADLINE))
        except ApiError as error:
            self._compose(error)
        except Exception as error:
            self._compose(self._failure(error))
        finally:
            # An exception in the task refers to its frames, and these to this request and the picture: a cycle that
            # only the garbage collector would free, many pictures later.
            self._work = None

    async def _answer(self) -> None:
        if self.request.method == "OPTIONS":
            self.set_status(204)
            for name, value in self._preflight().items():
                self.set_header(name, value)
            return
        self.receiver.finish()
        await self.answer()

    async def _refuse(self, error: ApiError) -> None:
        """Send an error while the body still arrives."""
        if self.state is not RequestState.RECEIVING:
            return
        self._close_body(error)
        self.set_header("Content-Length", str(len(self._content)))
        if self.request.headers.get("Expect"):
            del self.request.headers["Expect"]  # the client waits for 100 Continue and must not get it
            self.set_header("Connection", "close")
            await self._send()
            self._end()
            return
        await self._send(whole=False)

    async def _malformed(self, error: ApiError) -> None:
        """End a request whose rest is malformed, with an error if no answer was sent yet."""
        if self.state is RequestState.RECEIVING:
            self._close_body(error)
            self.set_header("Connection", "close")
        await self._send()
        self._end()

    def _body_timeout(self) -> None:
        """Refuse a body that did not arrive before the deadline."""
        if self.state is RequestState.RECEIVING:
            self._refusing = self.loop.create_task(self._refuse(ApiError(ErrorCode.BODY_TIMEOUT)))

    def _close_body(self, error: ApiError) -> None:
        self.state = RequestState.REFUSED
        self.receiver.drop()
        self._compose(error)

    def _compose(self, error: ApiError) -> None:
        self.code = error.code
        self.set_status(error.status)
        for name, value in error.headers.items():
            self.set_header(name, value)
        self.reply(error_json(error, self.request_id))

    def _failure(self, error: Exception) -> ApiError:
        self.service.log.error("failure", request_id=self.request_id, exc_info=error)
        return ApiError(ErrorCode.INTERNAL)

    async def _send(self, whole: bool = True) -> None:
        """Send the answer; give up after `write_timeout`.

        whole: whether the whole request has arrived; if not, the rest of its body still follows.
        """
        content, self._content = self._content, b""
        with self.service.admission.held.sending(self.client, len(content), self._give_up):
            try:
                async with asyncio.timeout(self.service.settings.write_timeout):
                    if content:
                        self.write(content)
                        del content
                    await (self.finish() if whole else self.flush())
            except TimeoutError:
                self._give_up()
            except StreamClosedError:
                pass

    def _give_up(self) -> None:
        """Close the connection of a client that does not read its answer."""
        self.service.metrics.unread.inc()
        self._end(_GONE, "unread")
        self.stream.close()

    def _end(self, status: int = 0, code: str = "") -> None:
        """Count and log this request, once. status, code: if they differ from those of the answer."""
        if self.state is RequestState.ENDED:
            return
        self.state = RequestState.ENDED
        if self._alarm is not None:
            self._alarm.cancel()
        self.receiver.drop()
        self.service.active.discard(self)
        self.service.ended(
            self.route,
            status or self.get_status(),
            code or self.code,
            self.loop.time() - self.started,
            request_id=self.request_id,
            method=self.request.method,
            bytes=self.receiver.received,
            client=self.request.remote_ip,
            **self.notes,
        )

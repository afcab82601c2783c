"""What every route does before and after its own answer: token, limits, deadline, one error shape, log and books."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from tornado.iostream import IOStream, StreamClosedError
from tornado.web import RequestHandler, stream_request_body

from facesieve.service.answers import encoded
from facesieve.service.body import Body, Whole
from facesieve.service.client import network_of
from facesieve.service.faults import Fault, FaultCode, request_id_of
from facesieve.service.origins import origin_headers, preflight_headers
from facesieve.service.tokens import token_of
from facesieve.service.unpack import unpacker
from facesieve.service.wire import Exchange

if TYPE_CHECKING:
    from facesieve.service.app import Service

_PROBES = ("/livez", "/readyz", "/metrics")  # asked every few seconds
_GONE = 499  # no status of HTTP: what the log and the metrics say when the client left


@stream_request_body
class Request(RequestHandler):
    """A route says its method, whether it is open, how large a body it takes, and its `answer`.

    An answer to a body that is still arriving is sent at once and whole, and the rest of the body is read and
    dropped until the client has sent it or the deadline closes the connection: closing earlier would reset the
    connection, and the client would never read the answer.
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
        self.code = ""
        self.notes: dict[str, Any] = {}
        self._received = 0
        self._unpacked = 0
        self._held = 0
        self._told = False
        self._gone = False
        self._cut = False
        self._unread = False
        self._ended = False
        self._responding = False
        self._work: asyncio.Task[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._auto_finish = False
        self._body: Body = Whole()
        self._unpacker = unpacker({})
        self.request.connection.set_malformed_callback(self._malformed)  # type: ignore[union-attr]
        self._share()
        service.active.add(self)

    def set_default_headers(self) -> None:
        """No version, no caching, no guessing of types; and a request id, the client's own if it is a sane one."""
        self.request_id = request_id_of(self.request.headers)
        self.clear_header("Server")
        self.set_header("X-Request-ID", self.request_id)
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-store")

    def preflight(self) -> dict[str, str]:
        """The headers of the answer to a browser that asks whether a page may use this route; none where it may not."""
        return preflight_headers(self.request.headers, self.method, self.service.settings.allowed_origins)

    def _share(self) -> None:
        for name, value in origin_headers(self.request.headers, self.service.settings.allowed_origins).items():
            self.set_header(name, value)

    def compute_etag(self) -> None:
        """Nothing is cached."""

    # what a route says of itself

    @property
    def largest_body(self) -> int:
        """Bytes of the largest body that the route takes."""
        return 0

    def check_first(self) -> None:
        """What the route can say before any of the body is read. Raises Fault."""

    def check_again(self) -> None:
        """What may become true while the body arrives. Raises Fault."""

    def body(self) -> Body:
        """What the body is collected in. Raises Fault."""
        return Whole()

    async def answer(self) -> None:
        """Write the answer. Raises Fault."""
        raise Fault(FaultCode.NOT_FOUND)

    # what all routes do

    @property
    def stream(self) -> IOStream:
        """The connection that it came on."""
        return cast(Exchange, self.request.connection).stream

    @property
    def refused(self) -> bool:
        """Whether it was answered before its body was there, so that the rest of the body is only dropped."""
        return self._told and not self._responding

    def cut_off(self) -> None:
        """Answer now: the service ends."""
        self._cut = True
        if self._work is not None:
            self._work.cancel()
        elif not self._responding:
            self._late()

    async def prepare(self) -> None:
        try:
            self._check_method()
            if self.request.method != "OPTIONS":
                self._check_rest()
        except Fault as fault:
            await self._tell(fault)
        else:
            self._alarm = self.loop.call_at(self.deadline, self._late)

    async def data_received(self, chunk: bytes) -> None:
        """Unpack and collect, in steps after which other requests get their turn."""
        if self._told:
            return
        self._received += len(chunk)
        try:
            self._check_size(self._received)
            pieces = self._unpacker.feed(chunk, self._body.step)
            while not self._told:
                async with self.service.turns:
                    piece = next(pieces, b"")
                    self._collect(piece)
                if not piece:
                    break
        except Fault as fault:
            await self._tell(fault)
        except Exception as error:
            self.service.log.error("failure", request_id=self.request_id, exc_info=error)
            await self._tell(Fault(FaultCode.INTERNAL))

    def _collect(self, piece: bytes) -> None:
        if self._told or not piece:
            return
        self._unpacked += len(piece)
        self._check_size(self._unpacked)
        self.check_again()
        held = self._body.feed(piece)
        self.service.gate.hold(self.client, held)
        self._held += held

    async def respond(self) -> None:
        """Answer, or say why not; then the books are closed."""
        self._responding = True
        if self._alarm is not None:
            self._alarm.cancel()
        if not self._told and not await self._answered():
            return
        if self.service.stopping and not self._told:
            self.set_header("Connection", "close")
        self._drop()
        await self._send()
        self._end()

    get = post = put = patch = delete = head = options = respond

    def write_json(self, value: bytes) -> None:
        self.set_header("Content-Type", "application/json; charset=utf-8")
        self.write(value)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Whatever else ends a request: Tornado's own refusals, and faults of ours."""
        fault = Fault(FaultCode.BAD_REQUEST if status_code < 500 else FaultCode.INTERNAL)
        if status_code == 405:  # a method that Tornado does not know
            try:
                self._check_method()
            except Fault as refused:
                fault = refused
        self._share()
        self._compose(fault)
        self.finish()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._gone = True
        if self._work is not None:
            self._work.cancel()
        self._end()

    def on_finish(self) -> None:
        if not self._responding and not self._told:
            self._end()

    def _check_method(self) -> None:
        if self.request.method == "OPTIONS" and self.preflight():
            return
        allowed = ("GET", "HEAD") if self.method == "GET" else (self.method,)
        if self.request.method not in allowed:
            raise Fault(FaultCode.METHOD_NOT_ALLOWED, headers={"Allow": ", ".join(allowed)})

    def _check_rest(self) -> None:
        if not self.open_to_all:
            self._check_token()
        self._check_size(int(self.request.headers.get("Content-Length", "0")))
        self._unpacker = unpacker(self.request.headers)
        self.check_first()
        self._body = self.body()

    def _check_token(self) -> None:
        token = token_of(self.request.headers)
        if not token:
            raise Fault(FaultCode.UNAUTHORIZED, headers={"WWW-Authenticate": "Bearer"})
        if not self.service.tokens.accept(token):
            raise Fault(FaultCode.FORBIDDEN)

    def _check_size(self, size: int) -> None:
        if size > self.largest_body:
            raise Fault(FaultCode.REQUEST_TOO_LARGE, details={"max_bytes": self.largest_body})

    async def _answered(self) -> bool:
        """Whether there is an answer; there is none where the client has gone."""
        self._work = self.loop.create_task(self._answer())
        try:
            await self._work
        except asyncio.CancelledError:
            if not self._gone and not self._cut:
                raise
            self._compose(Fault(FaultCode.DEADLINE))
        except Fault as fault:
            self._compose(fault)
        except Exception as error:
            self._blame(error)
        finally:
            # A fault in it holds the frames it came through, which hold this request and the picture: a circle that
            # only the garbage collector would end, and many pictures later.
            self._work = None
        return not self._gone

    async def _answer(self) -> None:
        if self.request.method == "OPTIONS":
            self.set_status(204)
            for name, value in self.preflight().items():
                self.set_header(name, value)
            return
        self._unpacker.finish()
        await self.answer()

    async def _tell(self, fault: Fault) -> None:
        """Answer while the body is still arriving, unless the answer is on its way already."""
        if self._told or self._responding:
            return
        self._told = True
        self._drop()
        self._compose(fault)
        self.set_header("Content-Length", str(len(b"".join(self._write_buffer))))
        if self.request.headers.get("Expect"):
            del self.request.headers["Expect"]  # the client waits for 100 Continue and must not get it
            self.set_header("Connection", "close")
            await self._send()
            self._end()
            return
        await self._send(whole=False)

    async def _malformed(self, fault: Fault) -> None:
        """The rest of the request is not HTTP: answer, unless that is done, and close the books."""
        if not self._told:
            self._told = True
            self._drop()
            self._compose(fault)
            self.set_header("Connection", "close")
        await self._send()
        self._end()

    def _late(self) -> None:
        """The body took too long."""
        if not self._told:
            self._telling = self.loop.create_task(self._tell(Fault(FaultCode.BODY_TIMEOUT)))

    def _compose(self, fault: Fault) -> None:
        self.code = fault.code
        self._write_buffer.clear()
        self.set_status(fault.status)
        for name, value in fault.headers.items():
            self.set_header(name, value)
        self.write_json(encoded({"error": fault.error(), "request_id": self.request_id}))

    def _blame(self, error: Exception) -> None:
        self._compose(Fault(FaultCode.INTERNAL))
        self.service.log.error("failure", request_id=self.request_id, exc_info=error)

    async def _send(self, whole: bool = True) -> None:
        """Send the answer. A client that has not read it within `write_timeout` is cut off.

        whole: whether the request is at its end too; otherwise the rest of its body is still to come.
        """
        size = sum(map(len, self._write_buffer))
        self.service.gate.keep(self.client, size)
        try:
            async with asyncio.timeout(self.service.settings.write_timeout):
                await (self.finish() if whole else self.flush())
        except TimeoutError:
            self._unread = True
            self.service.metrics.unread.inc()
            self.stream.close()
        except StreamClosedError:
            pass
        finally:
            self.service.gate.release(self.client, size)

    def let_go(self, size: int) -> None:
        """Count `size` bytes of the body as no longer held."""
        size = min(size, self._held)
        self.service.gate.release(self.client, size)
        self._held -= size

    def _drop(self) -> None:
        """Hold the body no longer."""
        self._body.clear()
        self.let_go(self._held)

    def _end(self) -> None:
        """Close the books of this request, once."""
        if self._ended:
            return
        self._ended = True
        if self._alarm is not None:
            self._alarm.cancel()
        self._drop()
        self.service.active.discard(self)
        status, code = (_GONE, "client_gone") if self._gone and not self._told else (self.get_status(), self.code)
        status, code = (_GONE, "unread") if self._unread else (status, code)
        seconds = self.loop.time() - self.started
        self.service.metrics.requests.labels(self.route, str(status), code).inc()
        self.service.metrics.seconds.labels(self.route).observe(seconds)
        write = self.service.log.debug if self.route in _PROBES else self.service.log.info
        write(
            "request",
            request_id=self.request_id,
            method=self.request.method,
            route=self.route,
            status=status,
            code=code,
            ms=round(seconds * 1e3, 1),
            bytes=self._received,
            client=self.request.remote_ip,
            **self.notes,
        )

"""One request and its answer on a connection, in the form that Tornado's handlers expect."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tornado.concurrent import Future
from tornado.httputil import HTTPConnection, HTTPHeaders, RequestStartLine, ResponseStartLine
from tornado.iostream import IOStream, StreamClosedError

from facesieve.service.api_errors import ApiError


@dataclass(frozen=True, slots=True)
class Peer:
    """The client, with the attribute names that Tornado reads from a connection's context."""

    remote_ip: str
    protocol: str = "http"


class Exchange(HTTPConnection):
    """One request and its answer. Tornado's handlers use it as their connection.

    finished: the handler has written the whole answer. done: the whole answer is sent, or the client has disconnected.
    """

    def __init__(self, stream: IOStream, start: RequestStartLine, headers: HTTPHeaders, peer: Peer) -> None:
        self.stream = stream
        self.context = peer
        self.keep_alive = _keeps_alive(start, headers)
        self.finished = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._start = start
        self._chunking = False
        self._last: Future[None] | None = None
        self._when_closed: Callable[[], None] | None = None
        self._when_malformed: Callable[[ApiError], Awaitable[None]] | None = None

    def asks_first(self, headers: HTTPHeaders) -> bool:
        """Whether the client waits for `100 Continue` before it sends the body. HTTP/1.0 does not have this."""
        return self._start.version != "HTTP/1.0" and headers.get("Expect", "").lower() == "100-continue"

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Set the function that is called when the client disconnects before it has its answer."""
        self._when_closed = callback

    def set_malformed_callback(self, callback: Callable[[ApiError], Awaitable[None]] | None) -> None:
        """Set the function that answers when the rest of the request turns out to be malformed."""
        self._when_malformed = callback

    def write_headers(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders, chunk: bytes | None = None
    ) -> Future[None]:
        assert isinstance(start_line, ResponseStartLine)
        old, bodyless = self._start.version == "HTTP/1.0", self._start.method == "HEAD" or start_line.code in (204, 304)
        sized = "Content-Length" in headers or bodyless
        self._chunking = not (sized or old)
        if headers.get("Connection", "").lower() == "close" or (old and not sized):
            self.keep_alive = False
        if self._chunking:
            headers["Transfer-Encoding"] = "chunked"
        if not self.keep_alive:
            headers["Connection"] = "close"
        elif old:
            headers["Connection"] = "keep-alive"
        lines = [f"HTTP/1.1 {start_line.code} {start_line.reason}"]
        lines += [f"{name}: {value}" for name, value in headers.get_all()]
        if any("\r" in line or "\n" in line for line in lines):
            raise ValueError("An answer has a header with a line break.")
        return self._send("\r\n".join([*lines, "", ""]).encode("latin-1") + self._framed(chunk or b""))

    def write(self, chunk: bytes) -> Future[None]:
        return self._send(self._framed(chunk))

    def finish(self) -> None:
        if self._chunking:
            self._send(b"0\r\n\r\n")
        self.finished = True
        if self._last is None:
            self._end()
        else:
            self._last.add_done_callback(lambda sent: self._end())

    async def malformed(self, error: ApiError) -> None:
        """Let the handler answer. Does nothing if it has answered already."""
        if self._when_malformed is not None and not self.finished:
            await self._when_malformed(error)

    def lost(self) -> None:
        """Tell the handler that the client has disconnected, and end the exchange."""
        if self._when_closed is not None:
            self._when_closed()
        self._end()

    def _framed(self, chunk: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(chunk), chunk) if self._chunking and chunk else chunk

    def _send(self, data: bytes) -> Future[None]:
        try:
            self._last = self.stream.write(data)
        except StreamClosedError as error:
            self._last = Future()
            self._last.set_exception(error)
            self._last.exception()
        return self._last

    def _end(self) -> None:
        # The callbacks refer to the handler, and the handler to this object: a cycle that would keep memory in use.
        self._when_closed = self._when_malformed = None
        if not self.done.done():
            self.done.set_result(None)


def _keeps_alive(start: RequestStartLine, headers: HTTPHeaders) -> bool:
    options = {option.strip() for option in headers.get("Connection", "").lower().split(",")}
    return "keep-alive" in options if start.version == "HTTP/1.0" else "close" not in options

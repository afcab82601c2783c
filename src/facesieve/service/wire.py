"""HTTP/1.1 on a socket: reads requests, writes answers, and answers what is malformed or too large in our own words.

Tornado's reader closes the connection, or sends a bare 400, for what it does not take, and has no hook for another
answer. This one stands on public parts of Tornado alone: `IOStream`, the interfaces `HTTPConnection`,
`HTTPMessageDelegate` and `HTTPServerConnectionDelegate`, and the parsers of a request line and of headers.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass

from tornado.concurrent import Future
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    ResponseStartLine,
    parse_request_start_line,
)
from tornado.iostream import IOStream, StreamClosedError

from facesieve.service.faults import Fault, FaultCode

_PIECE = 1 << 16  # most bytes that are read at once
_TURN = 1 << 16  # bytes of a body after which other requests get their turn
_BLANK = 1 << 10  # most bytes of blank lines before a request
_CHUNK_COST = 1 << 10  # a chunk costs as much time as so many bytes
_CHUNK_LINE = 1 << 12  # longest line that begins a chunk, extensions included
_TRAILERS = 1 << 13  # most bytes of trailers after a chunked body
_HEADER_LINES = 100
_LINGER = 5.0  # seconds in which a client may read a refusal before the connection is reset

_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_METHOD_BEGIN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]")
_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?")
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n]*")
_ORIGIN = re.compile(r"https?://[^/?#]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Limits:
    """header_bytes: of a request line and its headers. header_seconds, body_seconds: until they must be there.

    write_seconds: until a client must have read a refusal.
    """

    header_bytes: int
    header_seconds: float
    body_seconds: float
    write_seconds: float


@dataclass(frozen=True, slots=True)
class Peer:
    """The client, in the names that Tornado reads from a connection's context."""

    remote_ip: str
    protocol: str = "http"


class Reader:
    """A stream that is read by heads, lines and pieces. What is too long is a Fault, and leaves the stream open.

    taken: bytes that were read by heads, lines and pieces so far.
    """

    def __init__(self, stream: IOStream) -> None:
        self._stream = stream
        self._buffer = bytearray()
        self.taken = 0

    @property
    def holds(self) -> bool:
        """Whether bytes are here that can be read without waiting."""
        return bool(self._buffer)

    async def head(self, limit: int) -> bytes:
        """A request line and its headers, to the blank line. Blank lines before it are dropped."""
        seen = blank_bytes = 0
        while True:
            if not seen:
                before = len(self._buffer)
                del self._buffer[: before - len(self._buffer.lstrip(b"\r\n"))]
                blank_bytes += before - len(self._buffer)
            if blank_bytes > _BLANK:
                raise Fault(FaultCode.BAD_REQUEST, f"More than {_BLANK} bytes of blank lines come before the request.")
            if self._buffer and not _METHOD_BEGIN.match(self._buffer):
                raise Fault(FaultCode.BAD_REQUEST, "This is not HTTP/1.1; TLS ends in front of this service.")
            blank = _BLANK_LINE.search(self._buffer, max(0, seen - 3))
            if (blank.end() if blank else len(self._buffer)) > limit:
                raise Fault(FaultCode.HEADERS_TOO_LARGE, details={"max_bytes": limit})
            if blank:
                return self._take(blank.end())
            seen = len(self._buffer)
            await self._more()

    async def line(self, limit: int) -> bytes:
        """A line without its CRLF."""
        seen = 0
        while (end := self._buffer.find(b"\n", seen, limit)) < 0:
            if len(self._buffer) >= limit:
                raise Fault(FaultCode.BAD_REQUEST, f"A line of a chunked body is longer than {limit} bytes.")
            seen = len(self._buffer)
            await self._more()
        line = self._take(end + 1)
        if not line.endswith(b"\r\n"):
            raise Fault(FaultCode.BAD_REQUEST, "Lines of a chunked body end with CR LF.")
        return line[:-2]

    async def some(self, at_most: int) -> bytes:
        """The next bytes, at least one."""
        if self._buffer:
            return self._take(min(at_most, _PIECE))
        piece = await self._stream.read_bytes(min(at_most, _PIECE), partial=True)
        self.taken += len(piece)
        return piece

    async def _more(self) -> None:
        self._buffer += await self._stream.read_bytes(_PIECE, partial=True)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        self.taken += size
        return taken


class Exchange(HTTPConnection):
    """One request and its answer, as Tornado's handlers know a connection.

    finished: the handler has written all. done: all is sent, or the client has gone.
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
        self._when_malformed: Callable[[Fault], Awaitable[None]] | None = None

    def asks_first(self, headers: HTTPHeaders) -> bool:
        """Whether the client waits for `100 Continue` before it sends the body. HTTP/1.0 has no such thing."""
        return self._start.version != "HTTP/1.0" and headers.get("Expect", "").lower() == "100-continue"

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """What is called when the client leaves before it has its answer."""
        self._when_closed = callback

    def set_malformed_callback(self, callback: Callable[[Fault], Awaitable[None]] | None) -> None:
        """What answers when the rest of the request turns out to be malformed."""
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
            raise ValueError("A line break in a header of an answer.")
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

    async def malformed(self, fault: Fault) -> None:
        """Let the handler answer. Where it has answered already, nothing more is said."""
        if self._when_malformed is not None and not self.finished:
            await self._when_malformed(fault)

    def lost(self) -> None:
        """The client has gone."""
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
        # The callbacks hold the handler, which holds this: a circle that would keep its memory.
        self._when_closed = self._when_malformed = None
        if not self.done.done():
            self.done.set_result(None)


class Connection:
    """One client's requests, in order: each is answered before the next is read.

    server: makes a delegate for each request; its `on_close` is called at the end. peer_of: the client, from the
    headers. refusal: makes, counts and logs the answer to what is not a request. on_idle: called when the connection
    begins to wait for its next request.
    """

    def __init__(
        self,
        stream: IOStream,
        server: HTTPServerConnectionDelegate,
        limits: Limits,
        peer_of: Callable[[HTTPHeaders], Peer],
        refusal: Callable[[Fault, HTTPHeaders], bytes],
        on_idle: Callable[[], None],
    ) -> None:
        self.stream = stream
        self._reader = Reader(stream)
        self._server = server
        self._limits = limits
        self._peer_of = peer_of
        self._refusal = refusal
        self._on_idle = on_idle

    async def serve(self) -> None:
        """Serve until either side closes."""
        try:
            while await self._next():
                self._on_idle()
                await asyncio.sleep(0)
        except StreamClosedError:
            pass
        finally:
            self.stream.close()
            self._server.on_close(self)

    async def _next(self) -> bool:
        """Read one request and see it answered; whether another may follow on this connection."""
        headers = HTTPHeaders()
        try:
            async with asyncio.timeout(self._limits.header_seconds):
                head = await self._reader.head(self._limits.header_bytes)
            start, headers = _parsed(head)
            length = _length(start, headers)
        except TimeoutError:
            return False
        except Fault as fault:
            return await self._refuse(fault, headers)
        exchange = Exchange(self.stream, start, headers, self._peer_of(headers))
        delegate = self._server.start_request(self, exchange)
        try:
            await _settled(delegate.headers_received(start, headers))
        except (HTTPInputError, ValueError):  # ValueError: a port of thousands of digits
            return await self._refuse(
                Fault(FaultCode.BAD_REQUEST, "The Host is missing or malformed, or the query is not understood."),
                headers,
            )
        whole = await self._read(exchange, delegate, headers, length)
        if whole and not exchange.finished:
            delegate.finish()
            self.stream.set_close_callback(exchange.lost)
            if self.stream.closed():
                exchange.lost()
        await exchange.done
        self.stream.set_close_callback(None)
        if not whole and not self.stream.closed():
            await self._linger()
        return whole and exchange.keep_alive and not self.stream.closed()

    async def _read(
        self, exchange: Exchange, delegate: HTTPMessageDelegate, headers: HTTPHeaders, length: int | None
    ) -> bool:
        """Read a body and pass it on; whether it was read to its end. What follows an answer is read and dropped."""
        asks_first = exchange.asks_first(headers)
        if asks_first and exchange.finished:
            return False
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                if asks_first:
                    await self.stream.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                async with contextlib.aclosing(self._pieces(length)) as pieces:
                    async for piece in pieces:
                        if not exchange.finished:
                            await _settled(delegate.data_received(piece))
        except Fault as fault:
            exchange.keep_alive = False
            await exchange.malformed(fault)
            return False
        except (TimeoutError, StreamClosedError):
            self.stream.close()
            if not exchange.finished:
                delegate.on_connection_close()
            exchange.lost()
            return False
        return True

    async def _pieces(self, length: int | None) -> AsyncGenerator[bytes, None]:
        """The body in pieces, small chunks put together. Other requests get their turn in between."""
        last_turn, chunks, held = self._reader.taken, 0, bytearray()
        async with contextlib.aclosing(self._fixed(length) if length is not None else self._chunks()) as raw:
            async for piece in raw:
                chunks += 1
                if self._reader.taken - last_turn + chunks * _CHUNK_COST >= _TURN:
                    last_turn, chunks = self._reader.taken, 0
                    await asyncio.sleep(0)
                if self._reader.holds and len(held) + len(piece) < _PIECE:
                    held += piece
                    continue
                yield bytes(held) + piece if held else piece
                held.clear()
        if held:
            yield bytes(held)

    async def _fixed(self, length: int) -> AsyncGenerator[bytes, None]:
        while length:
            piece = await self._reader.some(length)
            length -= len(piece)
            yield piece

    async def _chunks(self) -> AsyncGenerator[bytes, None]:
        """Extensions of chunks and trailers are read and dropped."""
        while left := _chunk_size(await self._reader.line(_CHUNK_LINE)):
            while left:
                piece = await self._reader.some(left)
                left -= len(piece)
                yield piece
            if await self._reader.line(_CHUNK_LINE):
                raise Fault(FaultCode.BAD_REQUEST, "A chunk of the body is longer than its size.")
        trailers = 0
        while line := await self._reader.line(_CHUNK_LINE):
            trailers += len(line)
            if trailers > _TRAILERS or not _TRAILER.fullmatch(line):
                raise Fault(FaultCode.BAD_REQUEST, "The trailers of the chunked body are malformed or too large.")

    async def _refuse(self, fault: Fault, headers: HTTPHeaders) -> bool:
        """Answer what is not a request, and close: where the next one begins is not known."""
        try:
            async with asyncio.timeout(self._limits.write_seconds):
                await self.stream.write(self._refusal(fault, headers))
        except TimeoutError:
            self.stream.close()
        if not self.stream.closed():
            await self._linger()
        return False

    async def _linger(self) -> None:
        """Close for writing, and drop what still comes: closing over unread bytes would reset the connection, and the
        client would lose its answer."""
        with contextlib.suppress(StreamClosedError, TimeoutError, OSError):
            self.stream.socket.shutdown(socket.SHUT_WR)
            async with asyncio.timeout(_LINGER):
                while True:
                    await self._reader.some(_PIECE)
                    await asyncio.sleep(0)


async def _settled(result: Awaitable[None] | None) -> None:
    if result is not None:
        await result


def _parsed(head: bytes) -> tuple[RequestStartLine, HTTPHeaders]:
    lines = [line.removesuffix("\r") for line in head.decode("latin-1").split("\n")]
    if len(lines) > _HEADER_LINES + 3:  # the request line, and two ends
        raise Fault(FaultCode.HEADERS_TOO_LARGE, details={"max_headers": _HEADER_LINES})
    try:
        start = parse_request_start_line(lines[0])
    except HTTPInputError:
        raise Fault(FaultCode.BAD_REQUEST, "The request line is not METHOD PATH HTTP/1.1.") from None
    try:
        if any(line.startswith((" ", "\t")) for line in lines[1:]):
            raise HTTPInputError  # older Tornados join it to the line before
        headers = HTTPHeaders.parse("\r\n".join(lines[1:]))
    except HTTPInputError:
        raise Fault(FaultCode.BAD_REQUEST, "A header is not NAME: VALUE in a line of its own.") from None
    if origin := _ORIGIN.match(start.path):  # the form that proxies are asked in
        start = start._replace(path=start.path[origin.end() :] or "/")
    return start, headers


def _length(start: RequestStartLine, headers: HTTPHeaders) -> int | None:
    """Bytes of the body; None where it is chunked."""
    if "Transfer-Encoding" in headers:
        if headers["Transfer-Encoding"].lower() != "chunked" or start.version == "HTTP/1.0":
            raise Fault(FaultCode.BAD_REQUEST, "The only Transfer-Encoding is chunked, with HTTP/1.1.")
        if "Content-Length" in headers:
            raise Fault(FaultCode.BAD_REQUEST, "A request has Content-Length or Transfer-Encoding, not both.")
        return None
    if "Content-Length" not in headers:
        return 0
    [length, *others] = {value.strip(" \t") for value in headers["Content-Length"].split(",")}
    if others or not _LENGTH.fullmatch(length):
        raise Fault(FaultCode.BAD_REQUEST, "Content-Length is not one number of at most 18 digits.")
    headers["Content-Length"] = str(int(length))
    return int(length)


def _chunk_size(line: bytes) -> int:
    found = _CHUNK_SIZE.fullmatch(line)
    if not found:
        raise Fault(FaultCode.BAD_REQUEST, "A chunk of the body does not begin with its size.")
    return int(found[1], 16)


def _keeps_alive(start: RequestStartLine, headers: HTTPHeaders) -> bool:
    options = {option.strip() for option in headers.get("Connection", "").lower().split(",")}
    return "keep-alive" in options if start.version == "HTTP/1.0" else "close" not in options

"""HTTP/1.1 on a connection: reads its requests one after the other, and has each answered.

The service does this itself, because Tornado's own reader has no hook for the answer to a malformed or too large
request: it closes the connection or sends a bare 400. Here such a request gets a JSON error with a code. Only
public parts of Tornado are used: `IOStream`, the interfaces `HTTPConnection`, `HTTPMessageDelegate` and
`HTTPServerConnectionDelegate`, and the parsers of a request line and of headers.

`wire_reader` reads bytes, `wire_syntax` says what they mean, `wire_body` reads bodies, `wire_exchange` writes answers.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tornado.httputil import HTTPHeaders, HTTPInputError, HTTPMessageDelegate, HTTPServerConnectionDelegate
from tornado.iostream import IOStream, StreamClosedError

from facesieve.service.api_errors import ApiError, ErrorCode
from facesieve.service.wire_body import BodyReader
from facesieve.service.wire_exchange import Exchange, Peer
from facesieve.service.wire_reader import PIECE, Reader
from facesieve.service.wire_syntax import body_length, parsed_head

_LINGER = 5.0  # seconds in which a client may read an error before the connection is reset


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """header_bytes: most bytes of a request line and its headers.

    header_seconds, body_seconds: the time in which they must arrive. write_seconds: the time in which a client must
    read an error.
    """

    header_bytes: int
    header_seconds: float
    body_seconds: float
    write_seconds: float


class Connection:
    """One client's requests, in order: each is answered before the next is read.

    server: makes a delegate for each request; its `on_close` is called at the end. peer_of: returns the client that the
    headers name. refusal: builds, counts and logs the answer to bytes that are not a request. on_idle: called when the
    connection begins to wait for its next request.
    """

    def __init__(
        self,
        stream: IOStream,
        server: HTTPServerConnectionDelegate,
        limits: HttpLimits,
        peer_of: Callable[[HTTPHeaders], Peer],
        refusal: Callable[[ApiError, HTTPHeaders], bytes],
        on_idle: Callable[[], None],
    ) -> None:
        self.stream = stream
        self._reader = Reader(stream)
        self._body = BodyReader(self._reader)
        self._server = server
        self._limits = limits
        self._peer_of = peer_of
        self._refusal = refusal
        self._on_idle = on_idle

    async def handle_requests(self) -> None:
        """Read and answer requests until either side closes."""
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
        """Read one request and wait until it is answered. Returns whether another may follow on this connection."""
        headers = HTTPHeaders()
        try:
            async with asyncio.timeout(self._limits.header_seconds):
                head = await self._reader.head(self._limits.header_bytes)
            start, headers = parsed_head(head)
            length = body_length(start, headers)
        except TimeoutError:
            return False
        except ApiError as error:
            return await self._refuse(error, headers)
        exchange = Exchange(self.stream, start, headers, self._peer_of(headers))
        delegate = self._server.start_request(self, exchange)
        try:
            await _settled(delegate.headers_received(start, headers))
        except (HTTPInputError, ValueError):  # ValueError: a port of thousands of digits
            return await self._refuse(
                ApiError(ErrorCode.BAD_REQUEST, "The header Host is missing or malformed, or the query is malformed."),
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
        """Read a body and pass it on; after an answer, drop the rest. Returns whether the body was read to its end."""
        asks_first = exchange.asks_first(headers)
        if asks_first and exchange.finished:
            return False
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                if asks_first:
                    await self.stream.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                async with contextlib.aclosing(self._body.pieces(length)) as pieces:
                    async for piece in pieces:
                        if not exchange.finished:
                            await _settled(delegate.data_received(piece))
        except ApiError as error:
            exchange.keep_alive = False
            await exchange.malformed(error)
            return False
        except (TimeoutError, StreamClosedError):
            self.stream.close()
            if not exchange.finished:
                delegate.on_connection_close()
            exchange.lost()
            return False
        return True

    async def _refuse(self, error: ApiError, headers: HTTPHeaders) -> bool:
        """Answer bytes that are not a request, and close, because it is not known where the next request begins."""
        try:
            async with asyncio.timeout(self._limits.write_seconds):
                await self.stream.write(self._refusal(error, headers))
        except TimeoutError:
            self.stream.close()
        if not self.stream.closed():
            await self._linger()
        return False

    async def _linger(self) -> None:
        """Close for writing, and drop the bytes that still arrive. With unread bytes left, closing would reset the
        connection, and the client would lose its answer."""
        with contextlib.suppress(StreamClosedError, TimeoutError, OSError):
            self.stream.socket.shutdown(socket.SHUT_WR)
            async with asyncio.timeout(_LINGER):
                while True:
                    await self._reader.some(PIECE)
                    await asyncio.sleep(0)


async def _settled(result: Awaitable[None] | None) -> None:
    if result is not None:
        await result

"""One HTTP request and its answer, on a connection of its own. h11 reads the answer."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import h11

from facesieve.sources.remote.connect import connected_socket
from facesieve.sources.remote.resolver import CheckingResolver

_MOST_HEADER_BYTES = 64 * 1024
_MOST_INTERIM = 8  # answers such as 103 (Early Hints) before the one that counts
_PIECE = 64 * 1024  # bytes that are read at once
_PORTS = {"https": 443, "http": 80}


@dataclass(slots=True)
class Head:
    """Status and headers of an answer. headers: by name in lower case, each with all its values in order."""

    status: int
    headers: dict[str, list[str]] = field(default_factory=dict)

    def get(self, name: str) -> str:
        """The values of a header, joined by commas; "" if there is none."""
        return ", ".join(self.headers.get(name, ()))


@dataclass(frozen=True, slots=True)
class Body:
    """What a request sends. size: in bytes. pieces: yields the bytes, from the beginning whenever it is called."""

    size: int
    pieces: Callable[[], Iterator[bytes]]


class Exchange:
    """The answer to one request: its head, and then its body in pieces. Reads nothing before it is asked for.

    `head` and `body` raise OSError, and h11.RemoteProtocolError for an answer that is malformed or ends too early.
    """

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._state = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MOST_HEADER_BYTES)

    def request(self, url: str, headers: dict[str, str], method: str, body: Body | None = None) -> Iterator[bytes]:
        """Yields the bytes of a request. url: a result of `request_url`."""
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        lines = [("Host", parts.netloc), *headers.items(), ("Connection", "close")]
        if body:
            lines.append(("Content-Length", str(body.size)))
        yield self._state.send(h11.Request(method=method, target=target, headers=lines)) or b""
        for piece in body.pieces() if body else ():
            yield self._state.send(h11.Data(data=piece)) or b""
        yield self._state.send(h11.EndOfMessage()) or b""

    async def head(self) -> Head:
        """The head of the answer. Answers that only announce it are skipped, up to a number."""
        for _ in range(_MOST_INTERIM + 1):
            event = await self._next()
            if not isinstance(event, h11.InformationalResponse):
                break
        if not isinstance(event, h11.Response | h11.InformationalResponse):
            raise h11.RemoteProtocolError("The host closed the connection without an answer.")
        head = Head(event.status_code)
        for name, value in event.headers:
            head.headers.setdefault(name.decode("ascii"), []).append(value.decode("latin-1"))
        return head

    async def body(self) -> AsyncGenerator[bytes, None]:
        """Yields the content of the body, without chunk sizes, extensions and trailers."""
        while isinstance(event := await self._next(), h11.Data):
            yield bytes(event.data)
        if not isinstance(event, h11.EndOfMessage):
            raise h11.RemoteProtocolError("The host closed the connection before the end of the body.")

    async def _next(self) -> h11.Event | type[h11.PAUSED]:
        while True:
            event = self._state.next_event()
            if event is not h11.NEED_DATA:
                return event  # type: ignore[return-value]
            self._state.receive_data(await self._reader.read(_PIECE))


@asynccontextmanager
async def exchange(
    url: str,
    headers: dict[str, str],
    resolver: CheckingResolver,
    tls: ssl.SSLContext,
    connect_timeout: float,
    method: str = "GET",
    body: Body | None = None,
    sent: Callable[[int], None] = lambda count: None,
) -> AsyncIterator[Exchange]:
    """Send a request, and read its answer until the context ends; then the connection is closed at once.

    The connection uses the addresses that the resolver has checked, and no others.
    sent: called with the number of bytes that were just sent.
    Raises ForbiddenAddressError, OSError, TimeoutError after `connect_timeout` seconds without a connection, and
    UnicodeError for a host that is no name.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    async with asyncio.timeout(connect_timeout):
        connected = await connected_socket(await resolver.resolve(host, parts.port or _PORTS[parts.scheme]))
        try:
            reader, writer = await asyncio.open_connection(
                sock=connected,
                limit=_PIECE,
                ssl=tls if parts.scheme == "https" else None,
                server_hostname=host if parts.scheme == "https" else None,
            )
        except BaseException:
            connected.close()
            raise
    try:
        one = Exchange(reader)
        with suppress(ConnectionError):  # the host may answer, and close, before it has the whole body
            for piece in one.request(url, headers, method, body):
                writer.write(piece)
                await writer.drain()
                sent(len(piece))
        yield one
    finally:
        writer.transport.abort()

"""Sends requests to hosts and to stores of buckets within the limits of the settings, and tries again."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from http.client import responses
from ipaddress import ip_network
from typing import Any, BinaryIO, TypeVar
from urllib.parse import urlsplit

import h11

from facesieve.buckets import BucketUrl, Request, Store, Stores
from facesieve.buckets.answers import error_code
from facesieve.errors import Refused
from facesieve.records import RefusalCode
from facesieve.settings import Settings
from facesieve.sources.remote.exchange import Body, Exchange, Head, exchange
from facesieve.sources.remote.hosts import Hosts
from facesieve.sources.remote.resolver import CheckingResolver, ForbiddenAddressError, Lookup
from facesieve.sources.remote.retry import STATUSES, pause
from facesieve.sources.remote.robots import AGENT, forbids_training
from facesieve.version import __version__

Arriving = Callable[[int], None]
Result = TypeVar("Result")

_NO_ANSWER = (OSError, h11.RemoteProtocolError)
_EVERY_ADDRESS = (ip_network("0.0.0.0/0"), ip_network("::/0"))
_MOST_ERROR_BYTES = 64 * 1024  # of a store's refusal, which has its reason in the body
_PACE = 2**20  # bytes of a long body that must move within the time that a whole short answer may take


@dataclass(slots=True)
class Answer:
    """The answer to one request. body: empty unless the status is 200 or a store refuses."""

    head: Head
    body: bytes = b""
    from_store: bool = False


@dataclass(frozen=True, slots=True)
class Bodies:
    """The bodies of a request and of its answer.

    limit: most bytes of the answer. arriving: called with the number of bytes that are held so far. sent: what the
    request sends. into: a stream that receives the answer, which is then not held in memory.
    """

    limit: int = 0
    arriving: Arriving = lambda count: None
    sent: Body | None = None
    into: BinaryIO | None = None

    @property
    def long(self) -> bool:
        """Whether they may be so long that only their pace is limited."""
        return self.sent is not None or self.into is not None


class Client:
    """Requests of one event loop. stores: of buckets; None if there are no requests to them.

    lookup: resolves host names; None asks the system.
    """

    def __init__(self, settings: Settings, lookup: Lookup | None = None, stores: Stores | None = None) -> None:
        admitted = [ip_network(network) for network in settings.fetch_allow_addresses]
        self.settings, self.stores = settings, stores
        self._resolver = CheckingResolver(admitted=admitted, lookup=lookup)
        # The user chose the endpoint of a store, which may be in a network of their own.
        self._store_resolver = CheckingResolver(admitted=_EVERY_ADDRESS, lookup=lookup)
        self._tls = ssl.create_default_context()
        rate = settings.fetch_rate_per_host
        self._hosts = Hosts(settings.fetch_connections, settings.fetch_connections_per_host, rate)
        contact = f" ({settings.fetch_contact})" if settings.fetch_contact else ""
        self._headers = {
            "User-Agent": f"{AGENT}/{__version__}{contact}",
            "Accept": "image/*,*/*;q=0.1",
            "Accept-Encoding": "identity",
        }

    async def retry(
        self, ask: Callable[[], Awaitable[Answer]], wanted: tuple[int, ...] = (200,), most: int = 0
    ) -> Answer:
        """The first answer with a wanted status; hosts that fail or are busy are asked again.

        most: how often to ask; 0 means `fetch_tries`. Raises Refused.
        """
        tries = 0
        while True:
            tries += 1
            last = tries >= (most or self.settings.fetch_tries)
            try:
                answer = await ask()
            except _NO_ANSWER as error:
                if last:
                    raise Refused(RefusalCode.FETCH_FAILED, _connection_error(error)) from error
                retry_after = ""
            else:
                if answer.head.status in wanted:
                    return answer
                retry_after = answer.head.get("retry-after")
                if last or answer.head.status not in STATUSES:
                    raise bad_status(answer)
            seconds = pause(tries, retry_after)
            if seconds is None:
                raise bad_status(answer)
            await asyncio.sleep(seconds)

    def store(self, url: BucketUrl) -> Store:
        """The store of a bucket. It may block, and raises what `Stores.of` raises."""
        assert self.stores, "this client was made without stores"
        return self.stores.of(url)

    async def ask_store(self, url: BucketUrl, make: Callable[[Store], Request], bodies: Bodies | None = None) -> Answer:
        """The answer of a store, which is asked once more if its refusal says how. make: signs the request."""

        def sign() -> tuple[Store, Request]:
            store = self.store(url)
            return store, make(store)

        for again in (True, False):
            store, asked = await _in_thread(sign)
            answer = await self.request(asked, bodies or Bodies(), from_store=True)
            headers = {name: answer.head.get(name) for name in answer.head.headers}
            if not (again and answer.head.status >= 300 and await _in_thread(store.learn, headers)):
                break
        if answer.head.status in (401, 403) and store.hint:
            raise Refused(RefusalCode.FETCH_FAILED, f"{bad_status(answer).message} {store.hint}")
        return answer

    async def request(self, asked: Request, bodies: Bodies, from_store: bool = False) -> Answer:
        """The answer to one request. Raises OSError and h11.RemoteProtocolError where there is none.

        from_store: whether the user chose the host, as the store of a bucket.
        """
        settings = self.settings
        resolver = self._store_resolver if from_store else self._resolver
        headers = {**self._headers, **asked.headers}
        async with self._hosts.turn(urlsplit(asked.url).hostname or "", limited=not from_store):
            try:
                async with asyncio.timeout(settings.fetch_timeout) as clock:
                    moved = _Pace(clock, settings.fetch_timeout).moved if bodies.long else _nothing
                    async with exchange(
                        asked.url,
                        headers,
                        resolver,
                        self._tls,
                        settings.fetch_connect_timeout,
                        asked.method,
                        bodies.sent,
                        moved,
                    ) as arrived:
                        answer = Answer(await arrived.head(), from_store=from_store)
                        if answer.head.status == 200 and asked.method == "GET":
                            self._check(answer, bodies.limit)
                            answer.body = await _body(arrived, bodies, moved)
                        elif from_store and asked.method != "HEAD" and answer.head.status >= 300:
                            answer.body = await _start_of_body(arrived)
                        return answer
            except ForbiddenAddressError as forbidden:
                raise Refused(RefusalCode.FORBIDDEN_ADDRESS) from forbidden
            except TimeoutError as error:
                raise Refused(RefusalCode.FETCH_TIMEOUT) from error
            except (UnicodeError, h11.LocalProtocolError) as error:  # a host that is no name, or that no header holds
                raise Refused(RefusalCode.BAD_URL) from error

    def _check(self, answer: Answer, limit: int) -> None:
        """Refuse an answer that has no content for us before its body comes."""
        head, robots = answer.head, self.settings.fetch_respect_robots and not answer.from_store
        if robots and forbids_training(head.headers.get("x-robots-tag", ())):
            raise Refused(RefusalCode.DISALLOWED_BY_ROBOTS_HEADER)
        encoding = head.get("content-encoding").strip().lower()
        if encoding not in ("", "identity"):  # we asked for none; unpacking it would open the door to bombs
            raise Refused(RefusalCode.FETCH_FAILED, f"The host sent the content encoded as {encoding[:20]!r}.")
        length = head.get("content-length")
        if length.isdecimal() and int(length[:20]) > limit:
            raise Refused(RefusalCode.TOO_MANY_BYTES)


class _Pace:
    """Extends a timeout whenever enough bytes of a long body have moved."""

    def __init__(self, clock: asyncio.Timeout, seconds: float) -> None:
        self._clock, self._seconds, self._bytes = clock, seconds, 0

    def moved(self, count: int) -> None:
        self._bytes += count
        if self._bytes >= _PACE:
            self._bytes = 0
            self._clock.reschedule(asyncio.get_running_loop().time() + self._seconds)


def _nothing(count: int) -> None:
    """For short bodies, whose whole time is limited."""


async def _body(answer: Exchange, bodies: Bodies, moved: Arriving) -> bytes:
    parts, size = list[bytes](), 0
    if bodies.into is not None:  # an earlier try may have filled it
        bodies.into.seek(0)
        bodies.into.truncate()
    try:
        async with aclosing(answer.body()) as pieces:
            async for piece in pieces:
                size += len(piece)
                if size > bodies.limit:
                    raise Refused(RefusalCode.TOO_MANY_BYTES)
                if bodies.into is None:
                    parts.append(piece)
                else:
                    bodies.into.write(piece)
                bodies.arriving(size)
                moved(len(piece))
        return b"".join(parts)
    finally:
        parts.clear()  # an error would hold them until it is collected


async def _start_of_body(answer: Exchange) -> bytes:
    """The body of a refusal, without what is beyond a limit."""
    start = b""
    async with aclosing(answer.body()) as pieces:
        async for piece in pieces:
            start += piece
            if len(start) > _MOST_ERROR_BYTES:
                break
    return start


def bad_status(answer: Answer) -> Refused:
    """The refusal for an answer with a status that was not wanted."""
    status = answer.head.status
    code = error_code(answer.body) if answer.from_store else ""
    said = ", ".join(part for part in (responses.get(status, ""), code) if part)
    return Refused(RefusalCode.FETCH_FAILED, f"The host answered with status {status}{said and f' ({said})'}.")


async def _in_thread(function: Callable[..., Result], *arguments: Any) -> Result:
    """What a function returns that may block, such as while credentials are fetched."""
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)


def _connection_error(error: Exception) -> str:
    if isinstance(error, socket.gaierror):
        return "The host name has no address."
    if isinstance(error, ssl.SSLError):
        why = getattr(error, "verify_message", "") or error.reason
        return f"The host's certificate or encryption is not accepted: {why}."
    if isinstance(error, ConnectionRefusedError):
        return "The host refused the connection."
    if isinstance(error, OSError) and error.strerror:
        return f"The connection failed: {error.strerror}."
    return "The host closed the connection before the whole answer was there."

"""Fetches one URL, or one object of a bucket: the bytes of a picture, or a refusal. Retries, and applies all limits."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from http.client import responses
from ipaddress import ip_network
from typing import Any, TypeVar
from urllib.parse import urlsplit

import h11

from facesieve.buckets import BucketUrl, Listed, Page, Request, Store, Stores, is_bucket_url
from facesieve.buckets.answers import error_code, number_of, tag_of
from facesieve.errors import Refused
from facesieve.records import RefusalCode
from facesieve.settings import Settings
from facesieve.sources.remote.exchange import Exchange, Head, exchange
from facesieve.sources.remote.hosts import Hosts
from facesieve.sources.remote.resolver import CheckingResolver, ForbiddenAddressError, Lookup
from facesieve.sources.remote.retry import STATUSES, pause
from facesieve.sources.remote.robots import AGENT, forbids_training
from facesieve.sources.remote.url import redirect_url, request_url
from facesieve.version import __version__

Arriving = Callable[[int], None]
Result = TypeVar("Result")

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NO_ANSWER = (OSError, h11.RemoteProtocolError)
_EVERY_ADDRESS = (ip_network("0.0.0.0/0"), ip_network("::/0"))
_MOST_ERROR_BYTES = 64 * 1024  # of a store's refusal, which has its reason in the body
_MOST_PAGE_BYTES = 32 * 1024 * 1024  # of one page of a list of objects; a page of 1,000 has less than 2 MB


@dataclass(slots=True)
class _Answer:
    """The answer to one request. body: empty unless the status is 200 or a store refuses."""

    head: Head
    body: bytes = b""
    from_store: bool = False


class Fetcher:
    """Fetches URLs for one event loop, within the limits of the settings for each host and for all hosts.

    lookup: resolves host names; None asks the system. stores: of buckets; None fetches nothing from buckets, so that
    URLs of strangers cannot use this machine's credentials.
    """

    def __init__(self, settings: Settings, lookup: Lookup | None = None, stores: Stores | None = None) -> None:
        admitted = [ip_network(network) for network in settings.fetch_allow_addresses]
        self._settings, self._stores = settings, stores
        self._schemes = [scheme for scheme in settings.fetch_schemes if scheme in ("https", "http")]
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

    async def fetch(self, url: str, arriving: Arriving = lambda count: None) -> bytes:
        """The bytes behind a URL.

        arriving: called with the number of bytes that are held so far, as they come in; it may raise Full.
        Raises Refused (`bad_url`, `forbidden_address`, `fetch_failed`, `fetch_timeout`, `too_many_bytes`,
        `too_many_redirects`, `disallowed_by_robots_header`) and Full.
        """
        if self._stores and is_bucket_url(url):
            place, limit = BucketUrl.parse(url), self._settings.max_file_bytes
            ask = partial(self._ask_store, place, lambda store: store.request(place.key), limit, arriving)
        else:
            ask = partial(self._follow_redirects, url, arriving)
        return (await self._retry(ask)).body

    async def listed(self, place: BucketUrl, after: str = "") -> Page:
        """One page of the objects whose keys begin with a key. Raises Refused, as `fetch` does."""
        ask = partial(self._ask_store, place, lambda store: store.list_request(place.key, after), _MOST_PAGE_BYTES)
        return self._own_stores().of(place).page((await self._retry(ask)).body)

    async def find(self, place: BucketUrl) -> Listed | None:
        """Size and tag of an object; None if there is none. Raises Refused, as `fetch` does."""
        ask = partial(self._ask_store, place, lambda store: store.request(place.key, "HEAD"), 0)
        head = (await self._retry(ask, (200, 404))).head
        if head.status == 404:
            return None
        return Listed(place.key, number_of(head.get("content-length")), tag_of(head.get("etag")))

    async def _retry(self, ask: Callable[[], Awaitable[_Answer]], wanted: tuple[int, ...] = (200,)) -> _Answer:
        """The first answer with a wanted status; hosts that fail or are busy are asked again."""
        tries = 0
        while True:
            tries += 1
            last = tries >= self._settings.fetch_tries
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
                    raise _bad_status(answer)
            seconds = pause(tries, retry_after)
            if seconds is None:
                raise _bad_status(answer)
            await asyncio.sleep(seconds)

    def _own_stores(self) -> Stores:
        assert self._stores, "this fetcher was made without stores"
        return self._stores

    async def _ask_store(
        self,
        place: BucketUrl,
        make: Callable[[Store], Request],
        limit: int,
        arriving: Arriving = lambda count: None,
    ) -> _Answer:
        """The answer of a store, which is asked once more if its refusal says how. make: signs the request."""

        def sign() -> tuple[Store, Request]:
            store = self._own_stores().of(place)
            return store, make(store)

        for again in (True, False):
            store, asked = await _in_thread(sign)
            answer = await self._request(asked, limit, arriving, from_store=True)
            headers = {name: answer.head.get(name) for name in answer.head.headers}
            if not (again and answer.head.status >= 300 and await _in_thread(store.learn, headers)):
                break
        if answer.head.status in (401, 403) and store.hint:
            raise Refused(RefusalCode.FETCH_FAILED, f"{_bad_status(answer).message} {store.hint}")
        return answer

    async def _follow_redirects(self, url: str, arriving: Arriving) -> _Answer:
        """The answer at the end of all redirects."""
        at = request_url(url, self._schemes)
        for _ in range(self._settings.fetch_redirects + 1):
            answer = await self._request(Request(at), self._settings.max_file_bytes, arriving)
            location = answer.head.get("location")
            if answer.head.status not in _REDIRECTS or not location:
                return answer
            at = redirect_url(at, location, self._schemes)
        raise Refused(RefusalCode.TOO_MANY_REDIRECTS)

    async def _request(self, asked: Request, limit: int, arriving: Arriving, from_store: bool = False) -> _Answer:
        """The answer to one request. Raises OSError and h11.RemoteProtocolError where there is none.

        limit: most bytes of its body. from_store: whether the user chose the host, as the store of a bucket.
        """
        settings = self._settings
        resolver = self._store_resolver if from_store else self._resolver
        headers = {**self._headers, **asked.headers}
        async with self._hosts.turn(urlsplit(asked.url).hostname or "", limited=not from_store):
            try:
                async with (
                    asyncio.timeout(settings.fetch_timeout),
                    exchange(
                        asked.url, headers, resolver, self._tls, settings.fetch_connect_timeout, asked.method
                    ) as arrived,
                ):
                    answer = _Answer(await arrived.head(), from_store=from_store)
                    if answer.head.status == 200 and asked.method == "GET":
                        self._check(answer, limit)
                        answer.body = await _body(arrived, limit, arriving)
                    elif from_store and asked.method == "GET":
                        answer.body = await _start_of_body(arrived)
                    return answer
            except ForbiddenAddressError as forbidden:
                raise Refused(RefusalCode.FORBIDDEN_ADDRESS) from forbidden
            except TimeoutError as error:
                raise Refused(RefusalCode.FETCH_TIMEOUT) from error
            except (UnicodeError, h11.LocalProtocolError) as error:  # a host that is no name, or that no header holds
                raise Refused(RefusalCode.BAD_URL) from error

    def _check(self, answer: _Answer, limit: int) -> None:
        """Refuse an answer that has no picture for us before its body comes."""
        head, robots = answer.head, self._settings.fetch_respect_robots and not answer.from_store
        if robots and forbids_training(head.headers.get("x-robots-tag", ())):
            raise Refused(RefusalCode.DISALLOWED_BY_ROBOTS_HEADER)
        encoding = head.get("content-encoding").strip().lower()
        if encoding not in ("", "identity"):  # we asked for none; unpacking it would open the door to bombs
            raise Refused(RefusalCode.FETCH_FAILED, f"The host sent the content encoded as {encoding[:20]!r}.")
        length = head.get("content-length")
        if length.isdecimal() and int(length[:20]) > limit:
            raise Refused(RefusalCode.TOO_MANY_BYTES)


async def _body(answer: Exchange, limit: int, arriving: Arriving) -> bytes:
    parts, size = list[bytes](), 0
    try:
        async with aclosing(answer.body()) as pieces:
            async for piece in pieces:
                size += len(piece)
                if size > limit:
                    raise Refused(RefusalCode.TOO_MANY_BYTES)
                parts.append(piece)
                arriving(size)
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


def _bad_status(answer: _Answer) -> Refused:
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

"""Fetches one URL, or one object of a bucket: the bytes of a picture, or a refusal. Retries, and applies all limits."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from http.client import responses
from ipaddress import ip_network
from typing import Any, TypeVar
from urllib.parse import urlsplit

from tornado.httpclient import HTTPClientError
from tornado.httputil import HTTPHeaders, HTTPInputError
from tornado.iostream import UnsatisfiableReadError
from tornado.simple_httpclient import HTTPTimeoutError, SimpleAsyncHTTPClient, _HTTPConnection

from facesieve.buckets import BucketUrl, Listed, Page, Request, Store, Stores, is_bucket_url
from facesieve.buckets.answers import error_code, number_of, tag_of
from facesieve.errors import Refused
from facesieve.records import RefusalCode
from facesieve.settings import Settings
from facesieve.sources.remote.buffer import Full
from facesieve.sources.remote.hosts import Hosts
from facesieve.sources.remote.resolver import CheckingResolver, ForbiddenAddressError, Lookup
from facesieve.sources.remote.retry import STATUSES, pause
from facesieve.sources.remote.robots import AGENT, forbids_training
from facesieve.sources.remote.url import redirect_url, request_url
from facesieve.version import __version__

Result = TypeVar("Result")

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_HEADER_BYTES = 64 * 1024
_INTERIM = frozenset({100, 102, 103})
_MOST_INTERIM = 8  # answers such as 103 (Early Hints) before the one that counts
# UnsatisfiableReadError: a header or a line is too long. ValueError: the connection closed before encryption began.
_NO_ANSWER = (OSError, HTTPClientError, UnsatisfiableReadError, ValueError)
_QUIET = logging.NullHandler()  # what goes wrong is in refusals; without a handler, Python writes it to stderr too
_EVERY_ADDRESS = (ip_network("0.0.0.0/0"), ip_network("::/0"))
_MOST_ERROR_BYTES = 64 * 1024  # of a store's refusal, which has its reason in the body
_MOST_PAGE_BYTES = 32 * 1024 * 1024  # of one page of a list of objects; a page of 1,000 has less than 2 MB
_UNLIMITED = 2**62  # Tornado's own limit on bodies does not say that it was the limit; ours does


@dataclass(slots=True)
class _Answer:
    """What a host answers to one request. ended: what ended it before its end, if anything did.

    limit: most bytes of its body. store: whether it comes from a store of buckets.

    interim: how many answers came before it that only announce it.
    """

    limit: int
    store: bool = False
    status: int = 0
    interim: int = 0
    headers: HTTPHeaders = field(default_factory=HTTPHeaders)
    parts: list[bytes] = field(default_factory=list)
    size: int = 0
    ended: Exception | None = None


class _Connection(_HTTPConnection):
    """Tornado would log the error of a line that is too long, and leave the request to its timeout."""

    def on_connection_close(self) -> None:
        try:
            super().on_connection_close()
        except Exception:
            self._handle_exception(*sys.exc_info())


class _Client(SimpleAsyncHTTPClient):
    def _connection_class(self) -> type:
        return _Connection


class Fetcher:
    """Fetches URLs for one event loop, within the limits of the settings for each host and for all hosts.

    lookup: resolves host names; None asks the system. stores: of buckets; None fetches nothing from buckets, so that
    URLs of strangers cannot use this machine's credentials.
    """

    def __init__(self, settings: Settings, lookup: Lookup | None = None, stores: Stores | None = None) -> None:
        admitted = [ip_network(network) for network in settings.fetch_allow_addresses]
        logging.getLogger("tornado").addHandler(_QUIET)
        self._settings, self._stores = settings, stores
        self._schemes = [scheme for scheme in settings.fetch_schemes if scheme in ("https", "http")]
        self._client = self._new_client(CheckingResolver(admitted=admitted, lookup=lookup))
        # The user chose the endpoint of a store, which may be in a network of their own.
        self._store_client = self._new_client(CheckingResolver(admitted=_EVERY_ADDRESS, lookup=lookup))
        rate = settings.fetch_rate_per_host
        self._hosts = Hosts(settings.fetch_connections, settings.fetch_connections_per_host, rate)
        contact = f" ({settings.fetch_contact})" if settings.fetch_contact else ""
        self._headers = {
            "User-Agent": f"{AGENT}/{__version__}{contact}",
            "Accept": "image/*,*/*;q=0.1",
            "Accept-Encoding": "identity",
        }

    async def fetch(self, url: str, arriving: Callable[[int], None] = lambda count: None) -> bytes:
        """The bytes behind a URL.

        arriving: called with the number of bytes that are held so far, as they come in; it may raise Full.
        Raises Refused (`bad_url`, `forbidden_address`, `fetch_failed`, `fetch_timeout`, `too_many_bytes`,
        `too_many_redirects`, `disallowed_by_robots_header`) and Full.
        """
        if self._stores and is_bucket_url(url):
            place, limit = BucketUrl.parse(url), self._settings.max_file_bytes
            ask = partial(self._ask, self._stores, place, lambda store: store.request(place.key), limit, arriving)
        else:
            ask = partial(self._follow_redirects, url, arriving)
        return _joined(await self._retry(ask))

    async def listed(self, place: BucketUrl, after: str = "") -> Page:
        """One page of the objects whose keys begin with a key. Raises Refused, as `fetch` does."""
        stores = self._own_stores()
        ask = partial(self._ask, stores, place, lambda store: store.list_request(place.key, after), _MOST_PAGE_BYTES)
        answer = await self._retry(ask)
        return stores.of(place).page(_joined(answer))

    async def find(self, place: BucketUrl) -> Listed | None:
        """Size and tag of an object; None if there is none. Raises Refused, as `fetch` does."""
        ask = partial(self._ask, self._own_stores(), place, lambda store: store.request(place.key, "HEAD"), 0)
        answer = await self._retry(ask, (200, 404))
        size, tag = answer.headers.get("Content-Length", ""), answer.headers.get("ETag", "")
        return Listed(place.key, number_of(size), tag_of(tag)) if answer.status == 200 else None

    def close(self) -> None:
        for client in (self._client, self._store_client):
            client.close()
            client.resolver.close()

    def _new_client(self, resolver: CheckingResolver) -> _Client:
        return _Client(
            force_instance=True,
            max_clients=self._settings.fetch_connections,
            resolver=resolver,
            max_header_size=_MOST_HEADER_BYTES,
            max_body_size=_UNLIMITED,
        )

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
                if answer.status in wanted:
                    return answer
                retry_after = answer.headers.get("Retry-After", "")
                if last or answer.status not in STATUSES:
                    raise _bad_status(answer)
            seconds = pause(tries, retry_after)
            if seconds is None:
                raise _bad_status(answer)
            await asyncio.sleep(seconds)

    def _own_stores(self) -> Stores:
        assert self._stores, "this fetcher was made without stores"
        return self._stores

    async def _ask(
        self,
        stores: Stores,
        place: BucketUrl,
        make: Callable[[Store], Request],
        limit: int,
        arriving: Callable[[int], None] = lambda count: None,
    ) -> _Answer:
        """The answer of a store, which is asked once more if its refusal says how. make: signs the request."""

        def sign() -> tuple[Store, Request]:
            store = stores.of(place)
            return store, make(store)

        for again in (True, False):
            store, asked = await _in_thread(sign)
            answer = await self._request(asked, _Answer(limit, store=True), arriving)
            if not (again and answer.status >= 300 and await _in_thread(store.learn, answer.headers)):
                break
        if answer.status in (401, 403) and store.hint:
            raise Refused(RefusalCode.FETCH_FAILED, f"{_bad_status(answer).message} {store.hint}")
        return answer

    async def _follow_redirects(self, url: str, arriving: Callable[[int], None]) -> _Answer:
        """The answer at the end of all redirects."""
        schemes = self._schemes
        at = request_url(url, schemes)
        for _ in range(self._settings.fetch_redirects + 1):
            answer = await self._request(Request(at), _Answer(self._settings.max_file_bytes), arriving)
            location = answer.headers.get("Location")
            if answer.status not in _REDIRECTS or location is None:
                return answer
            at = redirect_url(at, location, schemes)
        raise Refused(RefusalCode.TOO_MANY_REDIRECTS)

    async def _request(self, asked: Request, answer: _Answer, arriving: Callable[[int], None]) -> _Answer:
        """Fill in the answer to one request. Raises OSError and HTTPClientError where there is none."""
        settings, client = self._settings, self._store_client if answer.store else self._client

        def take_header(line: str) -> None:
            if line.startswith("HTTP/"):
                answer.status, answer.headers = int(line.split(" ")[1]), HTTPHeaders()
            elif line.strip():
                answer.headers.parse_line(line)
            else:
                self._check_headers(answer, asked)

        def take_body(chunk: bytes) -> None:
            answer.parts.append(chunk)
            answer.size += len(chunk)
            if answer.status != 200:
                if answer.size > _MOST_ERROR_BYTES:
                    _abort(answer, _NoBody())
                return
            if answer.size > answer.limit:
                _abort(answer, Refused(RefusalCode.TOO_MANY_BYTES))
            try:
                arriving(answer.size)
            except Full as full:
                _abort(answer, full)

        async with self._hosts.turn(urlsplit(asked.url).hostname or "", limited=not answer.store):
            try:
                await client.fetch(
                    asked.url,
                    method=asked.method,
                    raise_error=False,
                    follow_redirects=False,
                    headers={**self._headers, **asked.headers},
                    connect_timeout=settings.fetch_connect_timeout,
                    request_timeout=settings.fetch_timeout,
                    decompress_response=False,
                    header_callback=take_header,
                    streaming_callback=take_body,
                )
            except ForbiddenAddressError as forbidden:
                raise Refused(RefusalCode.FORBIDDEN_ADDRESS) from forbidden
            except HTTPTimeoutError as error:
                raise Refused(RefusalCode.FETCH_TIMEOUT) from error
            except UnicodeError as error:  # from the resolver, for a host that is no name
                raise Refused(RefusalCode.BAD_URL) from error
            except _NO_ANSWER:
                if answer.ended is None:
                    raise
        if isinstance(answer.ended, Refused | Full):
            raise answer.ended
        return answer

    def _check_headers(self, answer: _Answer, asked: Request) -> None:
        """Ends an answer that has no picture for us before its body comes."""
        if answer.status in _INTERIM and answer.interim < _MOST_INTERIM:
            answer.interim += 1
            return
        if asked.method == "HEAD" or (answer.store and answer.status != 200):
            return
        if answer.status != 200:
            _abort(answer, _NoBody())
        robots = self._settings.fetch_respect_robots and not answer.store
        if robots and forbids_training(answer.headers.get_list("X-Robots-Tag")):
            _abort(answer, Refused(RefusalCode.DISALLOWED_BY_ROBOTS_HEADER))
        encoding = answer.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in ("", "identity"):  # we asked for none; unpacking it would open the door to bombs
            _abort(
                answer, Refused(RefusalCode.FETCH_FAILED, f"The host sent the content encoded as {encoding[:20]!r}.")
            )
        length = answer.headers.get("Content-Length", "")
        if length.isdecimal() and int(length[:20]) > answer.limit:
            _abort(answer, Refused(RefusalCode.TOO_MANY_BYTES))


class _NoBody(Exception):  # noqa: N818 - it is an outcome, not an error
    """Stops an answer whose body is not needed: a redirect or an error."""


def _abort(answer: _Answer, why: Exception) -> None:
    """Close the connection of an answer. Tornado does that for an HTTPInputError, and logs it as information."""
    answer.ended = why
    answer.parts.clear()  # the error would hold them until it is collected
    raise HTTPInputError(str(why))


def _joined(answer: _Answer) -> bytes:
    """The whole body. Its parts are freed at once; Tornado's objects would hold them until they are collected."""
    data = b"".join(answer.parts)
    answer.parts.clear()
    return data


def _bad_status(answer: _Answer) -> Refused:
    name = responses.get(answer.status, "")
    code = error_code(b"".join(answer.parts)) if answer.store else ""
    said = ", ".join(part for part in (name, code) if part)
    return Refused(RefusalCode.FETCH_FAILED, f"The host answered with status {answer.status}{said and f' ({said})'}.")


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

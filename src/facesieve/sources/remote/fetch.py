"""Fetches one URL: the bytes of a picture, or a refusal. Follows redirects, retries, and applies all limits."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import responses
from ipaddress import ip_network
from urllib.parse import urlsplit

from tornado.httpclient import HTTPClientError
from tornado.httputil import HTTPHeaders, HTTPInputError
from tornado.iostream import UnsatisfiableReadError
from tornado.simple_httpclient import HTTPTimeoutError, SimpleAsyncHTTPClient, _HTTPConnection

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

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_HEADER_BYTES = 64 * 1024
_INTERIM = frozenset({100, 102, 103})
_MOST_INTERIM = 8  # answers such as 103 (Early Hints) before the one that counts
# UnsatisfiableReadError: a header or a line is too long. ValueError: the connection closed before encryption began.
_NO_ANSWER = (OSError, HTTPClientError, UnsatisfiableReadError, ValueError)
_QUIET = logging.NullHandler()  # what goes wrong is in refusals; without a handler, Python writes it to stderr too
_UNLIMITED = 2**62  # Tornado's own limit on bodies does not say that it was the limit; ours does


@dataclass(slots=True)
class _Answer:
    """What a host answers to one request. ended: what ended it before its end, if anything did.

    interim: how many answers came before it that only announce it.
    """

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

    lookup: resolves host names; None asks the system.
    """

    def __init__(self, settings: Settings, lookup: Lookup | None = None) -> None:
        admitted = [ip_network(network) for network in settings.fetch_allow_addresses]
        logging.getLogger("tornado").addHandler(_QUIET)
        self._settings = settings
        self._resolver = CheckingResolver(admitted=admitted, lookup=lookup)
        self._client = _Client(
            force_instance=True,
            max_clients=settings.fetch_connections,
            resolver=self._resolver,
            max_header_size=_MOST_HEADER_BYTES,
            max_body_size=_UNLIMITED,
        )
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
        tries = 0
        while True:
            tries += 1
            last = tries >= self._settings.fetch_tries
            try:
                answer = await self._follow_redirects(url, arriving)
            except _NO_ANSWER as error:
                if last:
                    raise Refused(RefusalCode.FETCH_FAILED, _connection_error(error)) from error
                retry_after = ""
            else:
                if answer.status == 200:
                    return _joined(answer)
                retry_after = answer.headers.get("Retry-After", "")
                if last or answer.status not in STATUSES:
                    raise _bad_status(answer)
            seconds = pause(tries, retry_after)
            if seconds is None:
                raise _bad_status(answer)
            await asyncio.sleep(seconds)

    def close(self) -> None:
        self._client.close()
        self._resolver.close()

    async def _follow_redirects(self, url: str, arriving: Callable[[int], None]) -> _Answer:
        """The answer at the end of all redirects."""
        schemes = self._settings.fetch_schemes
        at = request_url(url, schemes)
        for _ in range(self._settings.fetch_redirects + 1):
            answer = await self._request(at, arriving)
            location = answer.headers.get("Location")
            if answer.status not in _REDIRECTS or location is None:
                return answer
            at = redirect_url(at, location, schemes)
        raise Refused(RefusalCode.TOO_MANY_REDIRECTS)

    async def _request(self, url: str, arriving: Callable[[int], None]) -> _Answer:
        """The answer to one request. Raises OSError and HTTPClientError where there is none."""
        answer, settings = _Answer(), self._settings

        def take_header(line: str) -> None:
            if line.startswith("HTTP/"):
                answer.status, answer.headers = int(line.split(" ")[1]), HTTPHeaders()
            elif line.strip():
                answer.headers.parse_line(line)
            else:
                self._check_headers(answer)

        def take_body(chunk: bytes) -> None:
            answer.parts.append(chunk)
            answer.size += len(chunk)
            if answer.size > settings.max_file_bytes:
                _abort(answer, Refused(RefusalCode.TOO_MANY_BYTES))
            try:
                arriving(answer.size)
            except Full as full:
                _abort(answer, full)

        async with self._hosts.turn(urlsplit(url).hostname or ""):
            try:
                await self._client.fetch(
                    url,
                    raise_error=False,
                    follow_redirects=False,
                    headers=dict(self._headers),
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

    def _check_headers(self, answer: _Answer) -> None:
        """Ends an answer that has no picture for us before its body comes."""
        if answer.status in _INTERIM and answer.interim < _MOST_INTERIM:
            answer.interim += 1
            return
        if answer.status != 200:
            _abort(answer, _NoBody())
        if self._settings.fetch_respect_robots and forbids_training(answer.headers.get_list("X-Robots-Tag")):
            _abort(answer, Refused(RefusalCode.DISALLOWED_BY_ROBOTS_HEADER))
        encoding = answer.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in ("", "identity"):  # we asked for none; unpacking it would open the door to bombs
            _abort(
                answer, Refused(RefusalCode.FETCH_FAILED, f"The host sent the content encoded as {encoding[:20]!r}.")
            )
        length = answer.headers.get("Content-Length", "")
        if length.isdecimal() and int(length[:20]) > self._settings.max_file_bytes:
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
    return Refused(RefusalCode.FETCH_FAILED, f"The host answered with status {answer.status}{name and f' ({name})'}.")


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

"""Fetches one URL: the bytes of a picture, or a refusal. Follows redirects, retries, and applies all limits."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import aclosing
from http.client import responses
from ipaddress import ip_network
from urllib.parse import urlsplit

import h11

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

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NO_ANSWER = (OSError, h11.RemoteProtocolError)


class Fetcher:
    """Fetches URLs for one event loop, within the limits of the settings for each host and for all hosts.

    lookup: resolves host names; None asks the system.
    """

    def __init__(self, settings: Settings, lookup: Lookup | None = None) -> None:
        admitted = [ip_network(network) for network in settings.fetch_allow_addresses]
        self._settings = settings
        self._resolver = CheckingResolver(admitted=admitted, lookup=lookup)
        self._tls = ssl.create_default_context()
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
                head, data = await self._follow_redirects(url, arriving)
            except _NO_ANSWER as error:
                if last:
                    raise Refused(RefusalCode.FETCH_FAILED, _connection_error(error)) from error
                retry_after = ""
            else:
                if head.status == 200:
                    return data
                retry_after = head.get("retry-after")
                if last or head.status not in STATUSES:
                    raise _bad_status(head)
            seconds = pause(tries, retry_after)
            if seconds is None:
                raise _bad_status(head)
            await asyncio.sleep(seconds)

    async def _follow_redirects(self, url: str, arriving: Callable[[int], None]) -> tuple[Head, bytes]:
        """The answer at the end of all redirects; its body is empty unless the status is 200."""
        schemes = self._settings.fetch_schemes
        at = request_url(url, schemes)
        for _ in range(self._settings.fetch_redirects + 1):
            head, data = await self._request(at, arriving)
            location = head.get("location")
            if head.status not in _REDIRECTS or not location:
                return head, data
            at = redirect_url(at, location, schemes)
        raise Refused(RefusalCode.TOO_MANY_REDIRECTS)

    async def _request(self, url: str, arriving: Callable[[int], None]) -> tuple[Head, bytes]:
        """The answer to one request. Raises OSError and h11.RemoteProtocolError where there is none."""
        settings = self._settings
        async with self._hosts.turn(urlsplit(url).hostname or ""):
            try:
                async with (
                    asyncio.timeout(settings.fetch_timeout),
                    exchange(url, self._headers, self._resolver, self._tls, settings.fetch_connect_timeout) as answer,
                ):
                    head = await answer.head()
                    if head.status != 200:
                        return head, b""
                    self._check(head)
                    return head, await self._body(answer, arriving)
            except ForbiddenAddressError as forbidden:
                raise Refused(RefusalCode.FORBIDDEN_ADDRESS) from forbidden
            except TimeoutError as error:
                raise Refused(RefusalCode.FETCH_TIMEOUT) from error
            except (UnicodeError, h11.LocalProtocolError) as error:  # a host that is no name, or that no header holds
                raise Refused(RefusalCode.BAD_URL) from error

    async def _body(self, answer: Exchange, arriving: Callable[[int], None]) -> bytes:
        parts, size = list[bytes](), 0
        try:
            async with aclosing(answer.body()) as pieces:
                async for piece in pieces:
                    size += len(piece)
                    if size > self._settings.max_file_bytes:
                        raise Refused(RefusalCode.TOO_MANY_BYTES)
                    parts.append(piece)
                    arriving(size)
            return b"".join(parts)
        finally:
            parts.clear()  # an error would hold them until it is collected

    def _check(self, head: Head) -> None:
        """Refuse an answer that has no picture for us before its body comes."""
        if self._settings.fetch_respect_robots and forbids_training(head.headers.get("x-robots-tag", ())):
            raise Refused(RefusalCode.DISALLOWED_BY_ROBOTS_HEADER)
        encoding = head.get("content-encoding").strip().lower()
        if encoding not in ("", "identity"):  # we asked for none; unpacking it would open the door to bombs
            raise Refused(RefusalCode.FETCH_FAILED, f"The host sent the content encoded as {encoding[:20]!r}.")
        length = head.get("content-length")
        if length.isdecimal() and int(length[:20]) > self._settings.max_file_bytes:
            raise Refused(RefusalCode.TOO_MANY_BYTES)


def _bad_status(head: Head) -> Refused:
    name = responses.get(head.status, "")
    return Refused(RefusalCode.FETCH_FAILED, f"The host answered with status {head.status}{name and f' ({name})'}.")


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

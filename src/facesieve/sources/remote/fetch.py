"""Fetches one URL, or one object of a bucket: the bytes of a picture, or a refusal."""

from __future__ import annotations

from functools import partial

from facesieve.buckets import BucketUrl, Listed, Page, Request, Stores, is_bucket_url
from facesieve.buckets.answers import number_of, tag_of
from facesieve.errors import Refused
from facesieve.records import RefusalCode
from facesieve.settings import Settings
from facesieve.sources.remote.client import Answer, Arriving, Bodies, Client
from facesieve.sources.remote.resolver import Lookup
from facesieve.sources.remote.url import redirect_url, request_url

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_PAGE_BYTES = 32 * 1024 * 1024  # of one page of a list of objects; a page of 1,000 has less than 2 MB


class Fetcher:
    """Fetches URLs for one event loop, within the limits of the settings for each host and for all hosts.

    lookup: resolves host names; None asks the system. stores: of buckets; None fetches nothing from buckets, so that
    URLs of strangers cannot use this machine's credentials.
    """

    def __init__(self, settings: Settings, lookup: Lookup | None = None, stores: Stores | None = None) -> None:
        self.client = Client(settings, lookup, stores)
        self._settings = settings
        self._schemes = [scheme for scheme in settings.fetch_schemes if scheme in ("https", "http")]

    async def fetch(self, url: str, arriving: Arriving = lambda count: None) -> bytes:
        """The bytes behind a URL.

        arriving: called with the number of bytes that are held so far, as they come in; it may raise Full.
        Raises Refused (`bad_url`, `forbidden_address`, `fetch_failed`, `fetch_timeout`, `too_many_bytes`,
        `too_many_redirects`, `disallowed_by_robots_header`) and Full.
        """
        bodies = Bodies(self._settings.max_file_bytes, arriving)
        if self.client.stores and is_bucket_url(url):
            parsed = BucketUrl.parse(url)
            ask = partial(self.client.ask_store, parsed, lambda store: store.request(parsed.key), bodies)
        else:
            ask = partial(self._follow_redirects, url, bodies)
        return (await self.client.retry(ask)).body

    async def listed(self, folder: BucketUrl, after: str = "") -> Page:
        """One page of the objects whose keys begin with a key. Raises Refused, as `fetch` does."""
        bodies = Bodies(_MOST_PAGE_BYTES)
        ask = partial(self.client.ask_store, folder, lambda store: store.list_request(folder.key, after), bodies)
        return self.client.store(folder).page((await self.client.retry(ask)).body)

    async def find(self, url: BucketUrl) -> Listed | None:
        """Size and tag of an object; None if there is none. Raises Refused, as `fetch` does."""
        ask = partial(self.client.ask_store, url, lambda store: store.request(url.key, "HEAD"))
        head = (await self.client.retry(ask, (200, 404))).head
        if head.status == 404:
            return None
        return Listed(url.key, number_of(head.get("content-length")), tag_of(head.get("etag")))

    async def _follow_redirects(self, url: str, bodies: Bodies) -> Answer:
        """The answer at the end of all redirects."""
        at = request_url(url, self._schemes)
        for _ in range(self._settings.fetch_redirects + 1):
            answer = await self.client.request(Request(at), bodies)
            location = answer.head.get("location")
            if answer.head.status not in _REDIRECTS or not location:
                return answer
            at = redirect_url(at, location, self._schemes)
        raise Refused(RefusalCode.TOO_MANY_REDIRECTS)

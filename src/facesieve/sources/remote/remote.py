"""A picture behind a URL, or an object of a bucket, as a source."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from facesieve.buckets import BucketUrl, check_installed, is_bucket_url
from facesieve.errors import Refused
from facesieve.records import RefusalCode, Source, displayed
from facesieve.settings import Settings
from facesieve.sources.file import from_file
from facesieve.sources.openers import RefusedOpener
from facesieve.sources.remote.url import file_path, request_url

# A dataset counts the builds in which these refusals occurred, because the host may answer differently next time.
COUNTED = frozenset(
    {
        RefusalCode.FETCH_FAILED,
        RefusalCode.FETCH_TIMEOUT,
        RefusalCode.FORBIDDEN_ADDRESS,
        RefusalCode.TOO_MANY_REDIRECTS,
        RefusalCode.DISALLOWED_BY_ROBOTS_HEADER,
    }
)
_FAILED = "failed "


@dataclass(frozen=True, slots=True)
class Remote:
    """The opener of a picture behind a URL. `UrlPrefetch` fetches many at a time; calling this fetches it alone.

    failures: the number of earlier builds in which it could not be fetched.
    """

    url: str
    settings: Settings = field(repr=False)
    failures: int = 0

    def __call__(self) -> BinaryIO:
        """Fetch the picture. Raises Refused."""
        from facesieve.sources.remote.prefetch import UrlPrefetch

        [source] = UrlPrefetch(self.settings)([Source(self.url, open=self)])
        assert source.open
        return source.open()


def from_url(text: str, label: str, settings: Settings) -> Source:
    """A picture behind a URL as a source; `file://` is a file of this machine. Nothing is fetched.

    A URL that cannot be fetched becomes a source that will be refused as `bad_url`. Raises UsageError `no_cloud` where
    packages for buckets are missing.
    """
    identity = text.encode("utf-8", "surrogatepass")
    try:
        if path := file_path(text):
            return from_file(Path(path), label)
        if is_bucket_url(text):
            _check_object(text, settings)
        else:
            request_url(text, [scheme for scheme in settings.fetch_schemes if scheme in ("https", "http")])
    except Refused as refused:
        return Source(
            displayed(text), displayed(label), RefusedOpener(refused.code, refused.message), identity=identity
        )
    return Source(displayed(text), displayed(label), Remote(text, settings), identity=identity)


def _check_object(text: str, settings: Settings) -> None:
    """Raises Refused `bad_url` if a text is no URL of an object, and UsageError `no_cloud`."""
    url = BucketUrl.parse(text)
    if url.scheme not in settings.fetch_schemes:
        raise Refused(RefusalCode.BAD_URL, f"URLs that begin with {url.scheme}:// are not fetched.")
    if not url.key:
        raise Refused(RefusalCode.BAD_URL, "The URL names a bucket and no object in it.")
    check_installed(url.scheme)


def failed(times: int) -> str:
    """The fingerprint of a picture that could not be fetched in `times` builds."""
    return f"{_FAILED}{times}"


def failures_in(fingerprint: str) -> int:
    """In how many builds a picture could not be fetched, from the fingerprint of its row."""
    number = fingerprint.removeprefix(_FAILED)
    return int(number) if number != fingerprint and number.isdecimal() else 0

"""A picture behind a URL as a source."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from facesieve.errors import Refused
from facesieve.records import RefusalCode, Source, displayed
from facesieve.settings import Settings
from facesieve.sources.file import from_file
from facesieve.sources.openers import RefusedOpener
from facesieve.sources.remote.url import request_url

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

    A URL that cannot be fetched becomes a source that will be refused as `bad_url`.
    """
    if text[:7].lower() == "file://":
        return _file(text, label)
    identity = text.encode("utf-8", "surrogatepass")
    try:
        request_url(text, settings.fetch_schemes)
    except Refused as refused:
        return Source(
            displayed(text), displayed(label), RefusedOpener(refused.code, refused.message), identity=identity
        )
    return Source(displayed(text), displayed(label), Remote(text, settings), identity=identity)


def failed(times: int) -> str:
    """The fingerprint of a picture that could not be fetched in `times` builds."""
    return f"{_FAILED}{times}"


def failures_in(fingerprint: str) -> int:
    """In how many builds a picture could not be fetched, from the fingerprint of its row."""
    number = fingerprint.removeprefix(_FAILED)
    return int(number) if number != fingerprint and number.isdecimal() else 0


def _file(text: str, label: str) -> Source:
    from urllib.request import url2pathname  # imports much, and file URLs are rare

    try:
        parts = urlsplit(text)
    except ValueError:
        return Source(displayed(text), displayed(label), RefusedOpener(RefusalCode.BAD_URL))
    if parts.netloc not in ("", "localhost"):
        message = "The URL names a file of another machine."
        return Source(displayed(text), displayed(label), RefusedOpener(RefusalCode.BAD_URL, message))
    return from_file(Path(url2pathname(parts.path)), label)

"""URLs as they are written in lists, checked and made ready to be requested."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from facesieve.errors import Refused
from facesieve.records import RefusalCode

LONGEST = 8192  # characters; servers refuse longer ones
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # at least two letters, because `C:` is a drive
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")  # `urlsplit` would drop some of them silently
_INVISIBLE = re.compile(r"[\s\u200b-\u200f\u2060\ufeff]")
_SAFE = "/%:@!$&'()*+,;=~-._?"  # of path and query: left as they are, so that nothing is encoded twice


def is_url(text: str) -> bool:
    """Whether a text is a URL and not a path."""
    return _SCHEME.match(text) is not None


def file_path(text: str) -> str | None:
    """The path of a file of this machine, from a URL `file://`; None for any other text. Raises Refused `bad_url`."""
    if text[:7].lower() != "file://":
        return None
    from urllib.request import url2pathname  # imports much, and file URLs are rare

    try:
        parts = urlsplit(text)
    except ValueError:
        raise _bad("The URL cannot be parsed.") from None
    if parts.netloc not in ("", "localhost"):
        raise _bad("The URL names a file of another machine.")
    path = url2pathname(parts.path)
    if not path or "\0" in path:
        raise _bad("The URL names no file.")
    return path


def request_url(text: str, schemes: Collection[str] = ("https", "http")) -> str:
    """The URL that is requested: host in IDNA, path and query percent-encoded where they must be, no fragment.

    Slashes, dots and existing percent-encoding stay as they are. Raises Refused `bad_url`.
    """
    if len(text) > LONGEST:
        raise _bad(f"The URL is longer than {LONGEST:,} characters.")
    if _CONTROL.search(text):
        raise _bad("The URL holds a control character.")
    if _INVISIBLE.search(text.partition("://")[2].partition("/")[0]):
        raise _bad("The host in the URL holds a space or an invisible character.")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _bad("The URL cannot be parsed.") from None
    if parts.scheme not in schemes:
        raise _bad(f"URLs that begin with {parts.scheme}:// are not fetched.")
    if parts.username is not None or parts.password is not None:
        raise _bad("The URL holds a user name or a password.")
    if "[" in parts.netloc and ":" not in (host or ""):  # an address of a future IP version
        raise _bad("The host in the URL is not an address.")
    if not host:
        raise _bad("The URL names no host.")
    try:
        place = f"[{host}]" if ":" in host else host.encode("idna").decode("ascii")
    except UnicodeError:
        raise _bad("The host in the URL is not a host name.") from None
    if port is not None:
        place += f":{port}"
    path, query = (quote(part, _SAFE, errors="surrogateescape") for part in (parts.path or "/", parts.query))
    return urlunsplit((parts.scheme, place, path, query, ""))


def redirect_url(url: str, location: str, schemes: Collection[str]) -> str:
    """Where a redirect leads. location: as it was read, one character per byte. Raises Refused `bad_url`."""
    try:
        text = location.encode("latin-1").decode("utf-8", "surrogateescape")
        return request_url(urljoin(url, text.strip()), schemes)
    except ValueError:
        raise _bad("The URL redirects to something that cannot be parsed.") from None


def _bad(message: str) -> Refused:
    return Refused(RefusalCode.BAD_URL, message)

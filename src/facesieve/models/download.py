"""Downloads a pinned wheel from package indexes with the standard library alone, for environments without pip.

It uses the simple repository API: https://packaging.python.org/en/latest/specifications/simple-repository-api/.
A wheel is used only if its sha256 is the pinned one.
"""

from __future__ import annotations

import base64
import re
import ssl
import time
from collections.abc import Iterator
from hashlib import sha256
from html.parser import HTMLParser
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import unquote, urldefrag, urljoin, urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, Request, build_opener, url2pathname

from facesieve.models.catalog import Wheel
from facesieve.models.index import PackageIndexes

TIMEOUT = 30.0  # seconds without a byte
DEADLINE = 900.0  # seconds for one page or file
LARGEST_PAGE = 32 * 2**20  # bytes
LARGEST_WHEEL = 512 * 2**20  # bytes
_CHUNK = 1 << 20
_PAGES = "application/vnd.pypi.simple.v1+html, text/html;q=0.5"


def download(wheel: Wheel, indexes: PackageIndexes) -> bytes:
    """The bytes of the wheel, from the first page that has a file with the pinned sha256.

    Raises OSError, which says for each page why it has no such file.
    """
    project, version = wheel.requirement.split("==")
    pages = [f"{index.rstrip('/')}/{_normal(project)}/" for index in indexes.indexes]
    opener = _opener(indexes)
    failures = list[str]()
    for page in [*pages, *indexes.find_links]:
        try:
            for link in _wheels(opener, page, project, version, wheel.sha256, indexes.local_only):
                data = _read(opener, link, LARGEST_WHEEL, "*/*")
                if sha256(data).hexdigest() == wheel.sha256:
                    return data
                failures.append(f"{_shown(link)} has another sha256")
        except (OSError, HTTPException, ValueError) as error:
            failures.append(f"{_shown(page)}: {_why(error)}")
    tried = ", ".join(_shown(page) for page in [*pages, *indexes.find_links])
    nowhere = f"it is not at {tried}" if tried else "the settings of pip or uv forbid all indexes"
    raise OSError("; ".join(failures) or nowhere)


def _opener(indexes: PackageIndexes) -> OpenerDirector:
    """Opens URLs through the proxies of the environment, and follows no redirect from https to another scheme."""
    context = ssl.create_default_context(cafile=indexes.certificate)
    return build_opener(HTTPSHandler(context=context), _Redirects())


class _Redirects(HTTPRedirectHandler):
    def redirect_request(self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str) -> Any:
        if not _allowed(newurl, req.full_url):
            raise HTTPError(req.full_url, code, "it redirects to a place without https", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _allowed(link: str, page: str) -> bool:
    """Whether a link of a page may be followed: it leads to the server of the page, or to any server with https."""
    there, here = urlsplit(link), urlsplit(page)
    return there.scheme == "https" or (there.scheme, there.hostname, there.port) == (
        here.scheme,
        here.hostname,
        here.port,
    )


def _wheels(
    opener: OpenerDirector, page: str, project: str, version: str, digest: str, local_only: bool
) -> Iterator[str]:
    """Links of a page to wheels of that version.

    Links with the pinned hash come first; links with another hash are left out.
    """
    if local_only and urlsplit(page).scheme != "file":
        raise OSError("UV_OFFLINE forbids the network")
    found = list[tuple[bool, str]]()
    for link in _links(opener, page):
        url, fragment = urldefrag(link)
        name, _, rest = unquote(urlsplit(url).path.rsplit("/", 1)[-1]).partition("-")
        if not (rest.endswith(".whl") and _normal(name) == _normal(project) and rest.split("-")[0] == version):
            continue
        hashed = fragment.startswith("sha256=")
        if (not hashed or fragment == f"sha256={digest}") and _allowed(url, page):
            found.append((not hashed, _with_user_of(page, url)))
    return (url for _, url in sorted(found))


def _links(opener: OpenerDirector, page: str) -> list[str]:
    folder = _local(page)
    if folder and folder.is_dir():
        if not (folder / "index.html").is_file():
            return [file.absolute().as_uri() for file in folder.iterdir()]
        page = (folder / "index.html").absolute().as_uri()
    parser = _Anchors()
    parser.feed(_read(opener, page, LARGEST_PAGE, _PAGES).decode("utf-8", "replace"))
    return [urljoin(urljoin(page, parser.base), link) for link in parser.links]


class _Anchors(HTMLParser):
    """Collects the targets of a page's anchors, and its base URL."""

    def __init__(self) -> None:
        super().__init__()
        self.base = ""
        self.links = list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        target = dict(attrs).get("href")
        if tag == "a" and target:
            self.links.append(target)
        elif tag == "base" and target:
            self.base = target


def _read(opener: OpenerDirector, url: str, limit: int, accept: str) -> bytes:
    if urlsplit(url).scheme not in ("http", "https", "file"):
        raise OSError("its scheme is neither http, https nor file")
    bare, user = _parted(url)
    request = Request(bare, headers={"Accept": accept, "User-Agent": "facesieve"})
    if user:  # it must not be sent to a server that this one redirects to
        request.add_unredirected_header("Authorization", "Basic " + base64.b64encode(user.encode()).decode())
    last, parts, size = time.monotonic() + DEADLINE, list[bytes](), 0
    with opener.open(request, timeout=TIMEOUT) as answer:
        while part := answer.read(_CHUNK):
            parts.append(part)
            size += len(part)
            if size > limit:
                raise OSError("the answer is too large")
            if time.monotonic() > last:
                raise OSError("the answer takes too long")
    return b"".join(parts)


def _local(url: str) -> Path | None:
    parts = urlsplit(url)
    return Path(url2pathname(parts.path)) if parts.scheme == "file" else None


def _parted(url: str) -> tuple[str, str]:
    """A URL without user and password, and these two as `user:password`, or ""."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    return (urlunsplit(parts._replace(netloc=host)), unquote(user)) if at else (url, "")


def _with_user_of(page: str, link: str) -> str:
    """The link with the user and password of the page, if both are on the same server."""
    here, there = urlsplit(page), urlsplit(link)
    same = (here.scheme, here.hostname, here.port) == (there.scheme, there.hostname, there.port)
    return urlunsplit(there._replace(netloc=here.netloc)) if same else link


def _shown(url: str) -> str:
    """A URL for messages, without user and password."""
    return _parted(url)[0]


def _why(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"HTTP {error.code} {error.reason}"
    reason = getattr(error, "reason", None) or error
    return str(getattr(reason, "strerror", None) or reason) or type(reason).__name__


def _normal(project: str) -> str:
    return re.sub(r"[-_.]+", "-", project).lower()

"""The objects of a bucket as sources: one, or all whose keys begin with a prefix that ends in `/`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from facesieve.buckets import BucketUrl, Listed, check_installed
from facesieve.errors import Refused, UsageError
from facesieve.records import RefusalCode, Source, displayed
from facesieve.sources.lists import is_list
from facesieve.sources.names import is_archive_name
from facesieve.sources.openers import RefusedOpener
from facesieve.sources.remote.remote import Remote
from facesieve.sources.search import Search
from facesieve.sources.taken import taken

if TYPE_CHECKING:
    from facesieve.sources.remote.thread import FetchThread


@dataclass(frozen=True, slots=True)
class BucketArgument:
    """What the URL of a bucket means. found: the object that it names; None for a folder."""

    url: BucketUrl
    found: Listed | None = None


@dataclass(frozen=True, slots=True)
class _Object:
    """An object below a prefix. below: its key without the prefix."""

    listed: Listed
    below: str

    @property
    def parts(self) -> list[str]:
        """The folders and the file in the key. `//`, `.` and `..` make no folders."""
        return [part for part in self.below.split("/") if part not in ("", ".", "..")] or [self.below]

    @property
    def is_folder(self) -> bool:
        """Whether it is an empty object with which some programs mark a folder."""
        return not self.below or (self.below.endswith("/") and not self.listed.size)


class Buckets:
    """Looks into buckets while sources are searched. The thread starts with the first bucket."""

    def __init__(self, search: Search) -> None:
        self._search = search
        self._thread: FetchThread | None = None

    def parsed(self, text: str) -> BucketArgument:
        """What an argument stands for. A URL that does not end in `/` is an object if there is one, else a folder.

        Raises UsageError `missing_source`, `unreadable_source`, `no_cloud`.
        """
        try:
            url = BucketUrl.parse(text)
            if url.scheme not in self._search.settings.fetch_schemes:
                raise Refused(RefusalCode.BAD_URL, f"URLs that begin with {url.scheme}:// are not fetched.")
            check_installed(url.scheme)
            from facesieve.sources.remote.thread import FetchThread  # searches of files do not wait for its imports

            thread = self._thread = self._thread or FetchThread(self._search.settings)
            if url.is_folder:
                return BucketArgument(url)
            if found := thread.wait(thread.fetcher.find(url)):
                return BucketArgument(url, found)
            folder = url.with_key(f"{url.key}/")
            if thread.wait(thread.fetcher.listed(folder)).objects:
                return BucketArgument(folder)
        except Refused as refused:
            raise _unreadable(text, refused) from refused
        raise UsageError("missing_source", f"There is no object or folder {displayed(text)!r}; buckets take no globs.")

    def sources(self, argument: BucketArgument, only_folder: bool) -> Iterator[Source]:
        """The sources of an argument, in the order of their keys. only_folder: as in `from_folder`.

        Raises UsageError `unreadable_source`, `no_top_folder`.
        """
        url, search = argument.url, self._search
        if argument.found:
            _check_is_picture(url)
            labels = search.options.labels
            if labels.from_top:
                raise UsageError(
                    "no_top_folder",
                    f"--label-from {labels.text} needs folders or archives, and {displayed(str(url))!r} is an object;"
                    " name the folder that holds the labelled folders.",
                )
            label = _last_folder(url, url.key.split("/")[:-1]) if labels.depth == 0 else ""
            yield self._source(url, argument.found, label)
            return
        objects = list(taken(self._listed(url), search))
        objects.sort(key=lambda one: one.listed.key)
        inner = only_folder and any(len(one.parts) > 1 for one in objects)
        own = "" if inner else _last_folder(url, url.key.split("/"))
        for one in objects:
            yield self._source(url, one.listed, search.label(one.parts[:-1], own))

    def _listed(self, url: BucketUrl) -> Iterator[_Object]:
        """All objects of a folder, page by page."""
        assert self._thread
        after, seen = "", set[str]()
        while True:
            try:
                page = self._thread.wait(self._thread.fetcher.listed(url, after))
            except Refused as refused:
                raise _unreadable(str(url), refused) from refused
            for listed in page.objects:
                if listed.key.startswith(url.key):
                    yield _Object(listed, listed.key[len(url.key) :])
            if not page.after:
                return
            if page.after in seen:
                raise _unreadable(str(url), Refused(RefusalCode.FETCH_FAILED, "The list of objects does not end."))
            after = page.after
            seen.add(after)

    def _source(self, url: BucketUrl, listed: Listed, label: str) -> Source:
        text = str(url.with_key(listed.key))
        name, identity = displayed(text), text.replace("\0", "%00").encode("utf-8", "surrogatepass")
        opener: Remote | RefusedOpener = Remote(text, self._search.settings)
        try:
            BucketUrl.parse(text)
        except Refused as refused:
            opener = RefusedOpener(refused.code, refused.message)
        return Source(name, displayed(label), opener, listed.fingerprint, identity=identity)


def _check_is_picture(url: BucketUrl) -> None:
    """Raise UsageError for a list or an archive, which would need random access."""
    name = url.key.rpartition("/")[2]
    if is_archive_name(name) or is_list(Path(name)):
        kind = "an archive" if is_archive_name(name) else "a list"
        message = f"{displayed(str(url))} is named like {kind}, which is not opened in a bucket;"
        raise UsageError("unreadable_source", f"{message} download it and name the file.")


def _last_folder(url: BucketUrl, folders: list[str]) -> str:
    """The name of the innermost folder; of the bucket, where the key has none."""
    return next((folder for folder in reversed(folders) if folder not in ("", ".", "..")), url.bucket)


def _unreadable(text: str, refused: Refused) -> UsageError:
    message = f"{displayed(text)} cannot be read: {refused.message or refused.code.sentence}"
    return UsageError("unreadable_source", message)

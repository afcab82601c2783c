"""The pictures below a folder, in the order of their names."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from facesieve.records import RefusalCode, Source, displayed
from facesieve.sources.file import from_file
from facesieve.sources.identity import former, identity_of
from facesieve.sources.names import hidden, ignored_file, is_archive_name, is_dataset, system_folder
from facesieve.sources.openers import RefusedOpener
from facesieve.sources.search import Search, folder_ids

_NOT_LISTED = "The folder cannot be listed."
_LEADS_OUT = "The link points outside the named folder; use --follow-links to follow it."


def from_folder(root: Path, search: Search, only_folder: bool = True, glob: bool = False) -> Iterator[Source]:
    """All pictures below a folder, sorted by name; a folder in it is entered when its name comes.

    Links to files within the folder are followed. Links to folders within it are not: these folders are visited anyway.
    A link that points outside is a source that will be refused. With `follow_links` all links are followed, links to
    folders after everything else, and no folder is entered twice.
    only_folder: whether it is the only folder that was named. Then, if it holds folders, its own name is no label.
    glob: whether a glob matched it, here or in a shell. Then the folder itself is the top folder of its pictures.
    """
    return _Walk(root, search, only_folder, glob).sources()


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file or folder below the root: its path, the names of the folders above it, and its own name."""

    path: str
    above: tuple[str, ...]
    name: str
    is_folder: bool


class _Walk:
    """One walk through a folder. It uses a list instead of recursion, which deeply nested folders would exhaust."""

    def __init__(self, root: Path, search: Search, only_folder: bool, glob: bool) -> None:
        self._root, self._search, self._only_folder, self._glob = root, search, only_folder, glob
        self._own = ""  # the label of files that lie directly in the root
        self._identity = identity_of(root)
        self._real_root = os.path.realpath(root)
        self._linked: deque[_Entry] = deque()  # folders behind links, entered last
        self._entered: set[tuple[int, int]] = set()

    def sources(self) -> Iterator[Source]:
        waiting: list[_Entry | Source] = [_Entry(str(self._root), (), "", True)]
        while waiting or self._linked:
            match waiting.pop() if waiting else self._linked.popleft():
                case Source() as refused:
                    yield refused
                case _Entry(is_folder=True) as entry:
                    waiting += reversed(list(self._inside(entry)))
                case entry:
                    yield self._source(entry)

    def _inside(self, folder: _Entry) -> Iterator[_Entry | Source]:
        """The entries of a folder that are taken, sorted by name."""
        try:
            status = os.stat(folder.path)  # noqa: PTH116
            here = (status.st_dev, status.st_ino)
            if here in self._search.excluded or (self._search.options.follow_links and here in self._entered):
                return
            self._entered.add(here)
            with os.scandir(folder.path) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError:
            yield self._refused(folder, RefusalCode.UNREADABLE, _NOT_LISTED)
            return
        if is_dataset({entry.name for entry in entries}):
            self._search.left_out.datasets += 1
            return
        taken = [found for entry in entries if (found := self._taken(folder, entry))]
        if not folder.name and not (self._only_folder and any(self._will_be_entered(entry) for entry, _ in taken)):
            self._own = os.fsdecode(os.path.basename(self._identity))  # noqa: PTH119
        for entry, is_link in taken:
            if not is_link:
                yield entry
            elif (target := self._target(entry)) is not None:
                yield target

    def _will_be_entered(self, entry: _Entry) -> bool:
        """Whether an entry of the root is a folder that will be entered."""
        if not entry.is_folder or folder_ids([Path(entry.path)]) <= self._search.excluded:
            return False
        return not is_dataset(_names(entry.path))

    def _taken(self, folder: _Entry, entry: os.DirEntry[str]) -> tuple[_Entry, bool] | None:
        """The entry of a folder, and whether it is a link. None where it is left out; then it is counted."""
        path, is_link = os.path.join(folder.path, entry.name), _is_link(entry)  # noqa: PTH118
        is_folder = os.path.isdir(path) if is_link else _is_folder(entry)  # noqa: PTH112 - never raises
        if left_out(entry.name, is_folder, self._search):
            return None
        if is_archive_name(entry.name) and _is_file(entry):
            self._search.left_out.archives += 1
            return None
        above = (*folder.above, folder.name) if folder.name else folder.above
        return _Entry(path, above, entry.name, is_folder), is_link

    def _target(self, link: _Entry) -> _Entry | Source | None:
        """The file that a link leads to, or its refusal; None for a folder, which is entered later or not at all."""
        follow = self._search.options.follow_links
        outside = not self._within(link.path)
        if link.is_folder:
            if follow:
                self._linked.append(link)
            elif outside and is_dataset(_names(link.path)):
                self._search.left_out.datasets += 1
            elif outside:
                return self._refused(link, RefusalCode.OUTSIDE_TREE, _LEADS_OUT)
            return None
        return link if follow or not outside else self._refused(link, RefusalCode.OUTSIDE_TREE, _LEADS_OUT)

    def _within(self, path: str) -> bool:
        try:
            return Path(os.path.realpath(path)).is_relative_to(self._real_root)
        except (OSError, ValueError):
            return False

    def _source(self, entry: _Entry) -> Source:
        return from_file(Path(entry.path), self._label(entry), self._identity_of(entry))

    def _refused(self, entry: _Entry, code: RefusalCode, message: str) -> Source:
        name = Path(entry.path).as_posix()
        closed = RefusedOpener(code, message)
        identity, before = self._identity_of(entry), former(name)
        return Source(displayed(name), displayed(self._label(entry)), closed, identity=identity, former=before)

    def _label(self, entry: _Entry) -> str:
        above = list(entry.above)
        return self._search.label([self._own, *above] if self._glob and self._own else above, self._own)

    def _identity_of(self, entry: _Entry) -> bytes:
        below = "/".join((*entry.above, entry.name))
        return os.path.join(self._identity, os.fsencode(below)) if below else self._identity  # noqa: PTH118


def left_out(name: str, is_folder: bool, search: Search) -> bool:
    """Whether a file or folder is left out because of its name. If so, it is counted."""
    everything = search.options.include_hidden
    if not is_folder and ignored_file(name):
        search.left_out.other_files += 1
    elif is_folder and system_folder(name) and not everything:
        search.left_out.system_folders += 1
    elif hidden(name) and not everything:
        search.left_out.hidden += 1
    else:
        return False
    return True


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:
        return False


def _is_link(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_symlink()
    except OSError:
        return False


def _names(folder: str) -> set[str]:
    try:
        return set(os.listdir(folder))  # noqa: PTH208
    except OSError:
        return set()

"""Paths that match a glob. Each part of it enters a real folder once, so links cannot trap or multiply the search."""

from __future__ import annotations

import glob
import os
from collections import deque
from fnmatch import fnmatchcase
from pathlib import Path

from facesieve.records import displayed
from facesieve.sources.folder import left_out
from facesieve.sources.names import hidden, is_dataset, system_folder
from facesieve.sources.search import Search

ANY_FOLDERS = "**"


def matches(pattern: str, search: Search) -> list[Path]:
    """All paths that match a glob, sorted. Datasets of FaceSieve, trash and hidden names are left out and counted."""
    path = Path(pattern)
    parts = [part for part in path.parts if part != path.anchor]
    merged = [part for at, part in enumerate(parts) if not (part == ANY_FOLDERS and parts[at - 1 : at] == [part])]
    return [Path(found) for found in sorted(_Match(merged, search).of(path.anchor))]


class _Match:
    """One search. The queues hold folders to visit, each with how many parts of the pattern it has matched."""

    def __init__(self, parts: list[str], search: Search) -> None:
        self._parts, self._search = parts, search
        self._found: set[str] = set()
        self._waiting: deque[tuple[str, int]] = deque()
        self._linked: deque[tuple[str, int]] = deque()  # behind links, after everything else
        self._entered: set[tuple[int, int, int]] = set()
        self._counted: set[str] = set()

    def of(self, anchor: str) -> set[str]:
        self._waiting.append((anchor, 0))
        while self._waiting or self._linked:
            folder, at = self._waiting.popleft() if self._waiting else self._linked.popleft()
            part = self._parts[at]
            if not self._is_new(folder, at):
                if part != ANY_FOLDERS:
                    self._search.tell("folders that several links lead to were read once")
            elif part == ANY_FOLDERS:
                self._any_depth(folder, at)
            elif glob.has_magic(part):
                for path, _ in self._entries(folder, part):
                    self._next(path, at)
            else:
                self._next(os.path.join(folder, part), at)  # noqa: PTH118
        return self._found

    def _next(self, path: str, at: int) -> None:
        if at + 1 == len(self._parts):
            if os.path.lexists(path):
                self._found.add(path)
        elif os.path.isdir(path):  # noqa: PTH112 - never raises
            self._later(path, at + 1)

    def _later(self, folder: str, at: int) -> None:
        (self._linked if os.path.islink(folder) else self._waiting).append((folder, at))  # noqa: PTH114

    def _is_new(self, folder: str, at: int) -> bool:
        """Whether no other name led to this folder at this part of the pattern."""
        try:
            status = os.stat(folder or ".")  # noqa: PTH116
        except OSError:
            return False
        here = (status.st_dev, status.st_ino, at)
        if here in self._entered:
            return False
        self._entered.add(here)
        return True

    def _any_depth(self, folder: str, at: int) -> None:
        if at + 1 == len(self._parts):  # a final `**` names the folder, and so everything in it
            self._found.add(folder or ".")
            return
        self._waiting.append((folder, at + 1))
        for path, is_folder in self._entries(folder, "*"):
            if is_folder:
                self._later(path, at)

    def _entries(self, folder: str, part: str) -> list[tuple[str, bool]]:
        """The entries of a folder that match a part of the pattern, and whether each is a folder.

        As in a shell, `*` does not match a leading dot, and a folder that cannot be listed has no match. The user is
        told about such a folder.
        """
        try:
            status = os.stat(folder or ".")  # noqa: PTH116
            names = sorted(os.listdir(folder or "."))  # noqa: PTH208
        except OSError:
            self._search.tell(f"{displayed(folder)} cannot be listed; nothing in it was read")
            return []
        if (status.st_dev, status.st_ino) in self._search.excluded:
            return []
        if is_dataset(set(names)):
            self._search.left_out.datasets += self._first(folder)
            return []
        found = []
        for name in names:
            path = os.path.join(folder, name)  # noqa: PTH118
            if fnmatchcase(name, part) and not self._skipped(path, name, part):
                found.append((path, os.path.isdir(path)))  # noqa: PTH112
        return found

    def _skipped(self, path: str, name: str, part: str) -> bool:
        """Whether a matching name is left out: it is hidden and the pattern has no dot, or it is a system folder."""
        is_folder = os.path.isdir(path)  # noqa: PTH112
        dotted = hidden(name) and not part.startswith(".")
        if self._search.options.include_hidden or not (dotted or (is_folder and system_folder(name))):
            return False
        if self._first(path):
            left_out(name, is_folder, self._search)
        return True

    def _first(self, path: str) -> bool:
        """Whether this path is left out for the first time, so that it is counted once."""
        if path in self._counted:
            return False
        self._counted.add(path)
        return True

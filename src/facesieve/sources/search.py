"""One search for pictures: its options, and what it reports besides the pictures."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Set
from dataclasses import asdict, dataclass, field
from pathlib import Path

from facesieve.records import Source
from facesieve.settings import Settings
from facesieve.sources.options import SourceOptions

_KINDS = {
    "datasets": ("dataset made by FaceSieve", "datasets made by FaceSieve"),
    "system_folders": ("trash or system folder", "trash or system folders"),
    "hidden": ("hidden file or folder", "hidden files and folders"),
    "other_files": ("file of text or data", "files of text or data"),
    "archives": (
        "archive inside a folder, archive or bucket (it is not opened; name a local one as a SOURCE: albums/*.zip)",
        "archives inside a folder, archive or bucket (they are not opened; name local ones as SOURCES: albums/*.zip)",
    ),
}


@dataclass(slots=True)
class LeftOut:
    """How many files and folders of each kind were left out. A folder counts as one."""

    datasets: int = 0
    system_folders: int = 0
    hidden: int = 0
    other_files: int = 0
    archives: int = 0

    def plain(self) -> dict[str, int]:
        """As values that JSON can hold."""
        return asdict(self)

    def line(self) -> str:
        """One line for a person, or "" when nothing was left out.

        >>> LeftOut(datasets=1, hidden=3).line()
        'left out: 1 dataset made by FaceSieve, 3 hidden files and folders (--include-hidden takes them)'
        """
        words = {kind: f"{n} {_KINDS[kind][n > 1]}" for kind, n in self.plain().items() if n}
        if hidden := [kind for kind in ("system_folders", "hidden") if kind in words]:
            words[hidden[-1]] += " (--include-hidden takes them)"
        return "left out: " + ", ".join(words.values()) if words else ""


@dataclass(frozen=True, slots=True)
class Found:
    """What is behind the arguments: sources, what was left out, and sentences that the user should read.

    listed: by the identity of each list that was read, the keys of the sources that only lists name.
    """

    sources: list[Source]
    left_out: LeftOut
    notes: list[str]
    listed: Mapping[bytes, Set[bytes]] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """What a person should read, one line each. Left-out files of text or data alone are not mentioned."""
        text_only = self.left_out == LeftOut(other_files=self.left_out.other_files)
        return self.notes if text_only else [*self.notes, self.left_out.line()]


@dataclass(frozen=True, slots=True)
class Search:
    """A search while it goes on: its options, and what it has to report so far.

    excluded: folders not to enter, by device and inode. The search fills the rest: left_out and notes, as in `Found`,
    and listed: by the identity of each list, the keys of all sources that it names, in its order.
    """

    settings: Settings
    options: SourceOptions
    excluded: frozenset[tuple[int, int]] = frozenset()
    left_out: LeftOut = field(default_factory=LeftOut)
    notes: list[str] = field(default_factory=list)
    listed: dict[bytes, list[bytes]] = field(default_factory=dict)

    def tell(self, sentence: str) -> None:
        """Keep a sentence for the user, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def label(self, folders: list[str], own: str) -> str:
        """The label of a picture, from the folders between the named folder and it; `own` when there are none."""
        return self.options.labels.of_folders(folders, own)


def folder_ids(folders: Iterable[Path]) -> frozenset[tuple[int, int]]:
    """Device and inode of each folder that exists. They identify a folder, whatever path leads to it."""
    found = set()
    for folder in folders:
        try:
            status = os.stat(folder)  # noqa: PTH116 - the same call for names of every kind
        except (OSError, ValueError):
            continue
        found.add((status.st_dev, status.st_ino))
    return frozenset(found)

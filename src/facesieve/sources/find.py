"""What the user named, turned into pictures to be opened: files, folders, globs, archives and lists of paths."""

from __future__ import annotations

import glob
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from facesieve.errors import UsageError
from facesieve.records import Source
from facesieve.settings import Settings
from facesieve.sources.archive import from_archive, is_archive
from facesieve.sources.folder import from_file, from_folder
from facesieve.sources.naming import place_of
from facesieve.sources.table import from_table, is_table

LabelFrom = Literal["none", "folder"]


def find(
    arguments: Sequence[str | Path],
    settings: Settings,
    label_from: LabelFrom = "none",
    leave_out: Collection[Path] = (),
) -> list[Source]:
    """Every picture behind the arguments, in their order and by name within each; nothing is decoded.

    It is a list, so that a wrong argument is told before any work begins. What is there but cannot be a picture is a
    source all the same, and will be refused when its turn comes. A path that two arguments reach comes once.
    label_from: with `folder`, the label is the name of the folder that a picture lies in, "" directly in the named
    folder or archive; a list's own label column counts either way.
    leave_out: folders not to enter, such as the dataset that is being written.
    Raises UsageError: `missing_source`, `empty_source`, `bad_list`, `unreadable_list`.
    """
    outside = {place_of(folder) for folder in leave_out}
    labelled = label_from == "folder"
    return list(_once(source for argument in arguments for source in _behind(argument, settings, labelled, outside)))


def _behind(argument: str | Path, settings: Settings, labelled: bool, outside: Collection[str]) -> Iterator[Source]:
    found = False
    for path in _paths(argument):
        for source in _of_path(path, settings, labelled, outside):
            found = True
            yield source
    if not found:
        raise UsageError("empty_source", f"There are no pictures in {str(argument)!r}.")


def _paths(argument: str | Path) -> list[Path]:
    """The path itself where there is one, else what it matches as a glob (`**` enters folders)."""
    if os.path.lexists(argument):
        return [Path(argument)]
    if glob.has_magic(str(argument)):
        return [Path(match) for match in sorted(glob.glob(str(argument), recursive=True))]  # noqa: PTH207 - as shells do, absolute or not
    raise UsageError("missing_source", f"There is no file or folder {str(argument)!r}.")


def _of_path(path: Path, settings: Settings, labelled: bool, outside: Collection[str]) -> Iterable[Source]:
    if path.is_dir():
        return from_folder(path, labelled, outside)
    if is_archive(path):
        return from_archive(path, settings, labelled)
    if is_table(path):
        return from_table(path)
    return [from_file(path, path.parent.name if labelled else "")]


def _once(sources: Iterable[Source]) -> Iterator[Source]:
    seen: set[tuple[str, str]] = set()
    for source in sources:
        place = (place_of(source.name), source.fingerprint)  # an archive may hold one name twice
        if place not in seen:
            seen.add(place)
            yield source

"""A folder, walked in name order, and single files."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from facesieve.records import RefusalCode, Source
from facesieve.sources.naming import ignored_file, ignored_folder, label_of, place_of, printable
from facesieve.sources.opening import Closed, File


def from_file(path: Path, label: str = "", name: str = "") -> Source:
    """One file, whatever it is called: what cannot be read is refused when its turn comes."""
    name = printable(name or path.as_posix())
    try:
        status = path.stat()
    except (OSError, ValueError):
        return Source(name, label, Closed(RefusalCode.UNREADABLE))
    if not stat.S_ISREG(status.st_mode):
        return Source(name, label, Closed(RefusalCode.UNREADABLE, "It is not a regular file."))
    return Source(name, label, File(str(path)), f"{status.st_size}-{status.st_mtime_ns}")


def from_folder(root: Path, labelled: bool, leave_out: Collection[str] = ()) -> Iterator[Source]:
    """All pictures below a folder, sorted by name, folders entered where their name stands.

    Links to files within the folder are followed, links to folders within it are not: what they lead to is visited
    anyway. A link that leads out is a source that will be refused. `leave_out` holds absolute paths not to enter.
    """
    return _walk(root, root, os.path.realpath(root), labelled, leave_out)


def _walk(root: Path, folder: Path, real_root: str, labelled: bool, leave_out: Collection[str]) -> Iterator[Source]:
    try:
        with os.scandir(folder) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError:
        yield Source(printable(folder.as_posix()), "", Closed(RefusalCode.UNREADABLE, "The folder cannot be listed."))
        return
    for entry in entries:
        path = folder / entry.name
        is_folder = path.is_dir() if entry.is_symlink() else entry.is_dir()
        if ignored_folder(entry.name) if is_folder else ignored_file(entry.name):
            continue
        label = label_of(path.relative_to(root).as_posix()) if labelled else ""
        if entry.is_symlink() and not _within(path, real_root):
            yield Source(printable(path.as_posix()), printable(label), Closed(RefusalCode.OUTSIDE_TREE))
        elif not is_folder:
            yield from_file(path, printable(label))
        elif not entry.is_symlink() and place_of(path) not in leave_out:
            yield from _walk(root, path, real_root, labelled, leave_out)


def _within(link: Path, real_root: str) -> bool:
    return Path(os.path.realpath(link)).is_relative_to(real_root)

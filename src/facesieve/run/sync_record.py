"""What a working folder and a bucket have in common, remembered in a file so that nothing is copied twice.

Each line of the file is one object that was copied, in one of both directions: its name, its version in the bucket, and
the stamp of its file. A line that a crash cut off, or that does not fit any more, only causes
one more copy of the file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

from facesieve.dataset.disk.atomic import wrap_read_errors, wrap_write_errors, write_file


def stamp_of(state: os.stat_result) -> str:
    """A text that changes whenever a file is written again, even with an old modification time."""
    return f"{state.st_size}-{state.st_mtime_ns}-{state.st_ctime_ns}-{state.st_ino}"


class SyncRecord:
    """The names that are in sync, each with the version of its object and the stamp of its file."""

    def __init__(self, path: Path, scratch: Path) -> None:
        self._path = path
        self._known = {name: (version, stamp) for name, version, stamp in _lines(path)}
        lines = (json.dumps([name, *known]) + "\n" for name, known in self._known.items())
        write_file("".join(lines).encode(), path, scratch)

    def has(self, name: str, version: str | None, stamp: str | None) -> bool:
        """Whether this version of an object and this file were copies of each other."""
        return version is not None and stamp is not None and self._known.get(name) == (version, stamp)

    def note(self, name: str, version: str, stamp: str) -> None:
        """Remember that an object and a file are copies of each other. Raises DatasetError."""
        self._known[name] = (version, stamp)
        with wrap_write_errors(self._path), self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps([name, version, stamp]) + "\n")


def _lines(path: Path) -> Iterator[tuple[str, str, str]]:
    with wrap_read_errors(path):
        text = path.read_bytes().decode("utf-8", "replace") if path.exists() else ""
    for line in text.splitlines():
        try:
            name, version, stamp = json.loads(line)
        except (ValueError, TypeError):
            continue
        yield str(name), str(version), str(stamp)

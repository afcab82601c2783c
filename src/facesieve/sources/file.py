"""A single file as a source."""

from __future__ import annotations

import os
from pathlib import Path

from facesieve.records import RefusalCode, Source, displayed
from facesieve.regular_file import what_is_wrong
from facesieve.sources.identity import former, identity_of
from facesieve.sources.names import cost_of
from facesieve.sources.openers import File, RefusedOpener


def from_file(path: Path, label: str = "", identity: bytes = b"") -> Source:
    """A file as a source, whatever its name is. The file is not opened.

    A file that is absent, or must not be opened, becomes a source that will be refused.
    """
    name = path.as_posix()
    known = (displayed(name), displayed(label))
    identity, before = identity or identity_of(path), former(name)
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        closed = RefusedOpener(RefusalCode.UNREADABLE, _absent(path, error))
        return Source(*known, closed, identity=identity, former=before)
    if wrong := what_is_wrong(status):
        return Source(*known, RefusedOpener(RefusalCode.NOT_A_FILE, wrong), identity=identity, former=before)
    stamp = f"{status.st_size}-{status.st_mtime_ns}@{status.st_ctime_ns}"
    return Source(*known, File(str(path)), stamp, identity=identity, former=before, cost=cost_of(path.name))


def _absent(path: Path, error: Exception) -> str:
    """The reason why there is no file at a path, as a sentence; "" if the error has another reason."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        return ""
    return "The link is broken: its target does not exist." if os.path.islink(path) else "There is no such file."  # noqa: PTH114

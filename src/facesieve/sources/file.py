"""A single file as a source."""

from __future__ import annotations

import os
from pathlib import Path

from facesieve.records import RefusalCode, Source, displayed
from facesieve.sources.identity import former, identity_of
from facesieve.sources.openers import Closed, File, what_is_wrong


def from_file(path: Path, label: str = "", identity: bytes = b"") -> Source:
    """One file, whatever it is called: what cannot be read is refused when its turn comes, unopened if need be."""
    name = path.as_posix()
    known = (displayed(name), displayed(label))
    identity, before = identity or identity_of(path), former(name)
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        closed = Closed(RefusalCode.UNREADABLE, _absent(path, error))
        return Source(*known, closed, identity=identity, former=before)
    if wrong := what_is_wrong(status):
        return Source(*known, Closed(RefusalCode.NOT_A_FILE, wrong), identity=identity, former=before)
    stamp = f"{status.st_size}-{status.st_mtime_ns}@{status.st_ctime_ns}"
    return Source(*known, File(str(path)), stamp, identity=identity, former=before)


def _absent(path: Path, error: Exception) -> str:
    """What is wrong with a path that has no file, as a sentence; "" where there may be one."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        return ""
    return "The link leads to nothing." if os.path.islink(path) else "There is no such file."  # noqa: PTH114

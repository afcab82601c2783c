"""Temporary files for what has no random access: compressed tars, and pictures inside lists."""

from __future__ import annotations

import os
import tempfile
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from facesieve.errors import Refused
from facesieve.records import RefusalCode

_NO_ROOM = "The temporary folder has no room to unpack it; the next build tries again."


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Unpacked:
    """A file that may be temporary: then it goes when the last source that needs it is gone."""

    path: str


class Unpacking:
    """A temporary file while it is written. Raises Refused where the disk has no room."""

    def __init__(self) -> None:
        try:
            handle, name = tempfile.mkstemp(prefix="facesieve-", suffix=".tar")
        except OSError as error:
            raise Refused(RefusalCode.UNREADABLE, _NO_ROOM) from error
        self.file = Unpacked(name)
        weakref.finalize(self.file, _remove, name, os.getpid())
        self._stream: IO[bytes] = os.fdopen(handle, "wb")
        self.size = 0

    def write(self, data: bytes | memoryview) -> None:
        try:
            self._stream.write(data)
        except OSError as error:
            raise Refused(RefusalCode.UNREADABLE, _NO_ROOM) from error
        self.size += len(data)

    def close(self) -> None:
        try:
            self._stream.close()
        except OSError as error:
            raise Refused(RefusalCode.UNREADABLE, _NO_ROOM) from error


def _remove(path: str, owner: int) -> None:
    """A forked worker inherits the finalizer, but must not take the file from the others."""
    if os.getpid() == owner:
        Path(path).unlink(missing_ok=True)

"""Temporary files for data without random access: compressed tars, and pictures inside lists."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from facesieve.errors import UsageError
from facesieve.processes.temporary import lock, remove_stale, temporary_name, unlock


@dataclass(frozen=True, slots=True, weakref_slot=True)
class TemporaryFile:
    """The path of a file. A temporary one is removed when the last source that holds this object is gone."""

    path: str


class TemporaryWriter:
    """Writes a temporary file.

    Raises UsageError `no_temporary_room` where the temporary folder has no room: the source is not at fault.
    """

    def __init__(self, source: Path) -> None:
        self._source, self.size = source, 0
        self._remove: Callable[[], object] = lambda: None
        with self._disk_errors():
            name = str(temporary_name(".tar"))
        remove_stale()
        self.file, held = TemporaryFile(name), list[int | None]()
        # Set before the file exists, so that no file is left if a signal comes in between.
        self._remove = weakref.finalize(self.file, _remove, name, os.getpid(), held)
        with self._disk_errors():
            self._stream: IO[bytes] = open(name, "xb", opener=_private)  # noqa: SIM115 - closed by `close`
            held.append(lock(Path(name)))

    def write(self, data: bytes | memoryview) -> None:
        with self._disk_errors():
            self._stream.write(data)
        self.size += len(data)

    def close(self) -> None:
        with self._disk_errors():
            self._stream.close()

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._remove()
            why = error.strerror or "there is none"
            message = (
                f"Cannot unpack {self._source} into the temporary folder ({why}); set TMPDIR to a folder with room."
            )
            raise UsageError("no_temporary_room", message) from error


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def _remove(path: str, owner: int, held: list[int | None]) -> None:
    """Remove the file, but not in a forked worker, which inherits the finalizer: the others still need the file."""
    if os.getpid() == owner:
        Path(path).unlink(missing_ok=True)
        while held:
            unlock(held.pop())

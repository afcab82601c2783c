"""Permits to write: how a build that uses other machines makes sure that a lost worker writes nothing any more.

Each worker has a file, and it writes only while it holds a shared lock on this file and the file is not empty. To
revoke the permit, the build takes the exclusive lock, empties the file and removes it. So a worker that still runs
after its build ended, or after the build counted it as lost, is refused at its next write. This needs a folder whose
locks work
between machines: a local disk, NFS 4, or another network folder with locks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from facesieve.dataset.disk.atomic import wrap_write_errors
from facesieve.dataset.disk.layout import Layout
from facesieve.errors import DatasetError

PATIENCE = 10.0  # seconds to wait until a worker that was killed has ended its last write
_PAUSE = 0.02  # seconds between two tries to lock


@dataclass(frozen=True, slots=True)
class Permit:
    """The permit of one worker. path: its file; the folder of the dataset must be the same for all machines."""

    path: Path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the permit while something is written. Raises DatasetError `revoked` if it is not valid any more."""
        descriptor = _open(self.path)
        if descriptor is None:
            raise self._revoked()
        try:
            _lock(descriptor, shared=True, patience=None)
            if not os.read(descriptor, 1):
                raise self._revoked()
            yield
        finally:
            os.close(descriptor)

    def revoke(self, patience: float = PATIENCE) -> None:
        """End the permit. When this returns, its worker writes nothing and never will.

        patience: seconds to wait while the worker writes. Raises DatasetError `in_use` when it takes longer.
        """
        descriptor = _open(self.path)
        if descriptor is None:
            return
        try:
            if not _lock(descriptor, shared=False, patience=patience):
                raise DatasetError(
                    "in_use",
                    f"A lost worker of a build is still writing to {self.path.parents[2]}. Try again in a minute.",
                )
            with wrap_write_errors(self.path):
                os.ftruncate(descriptor, 0)
                self.path.unlink(missing_ok=True)
        finally:
            os.close(descriptor)

    def _revoked(self) -> DatasetError:
        return DatasetError("revoked", f"This worker may not write to {self.path.parents[2]} any more.")


def grant(layout: Layout) -> Permit:
    """A new permit to write to a dataset. Raises DatasetError if its file cannot be written."""
    path = layout.permits / uuid4().hex
    with wrap_write_errors(path):
        layout.permits.mkdir(parents=True, exist_ok=True)
        path.write_text("valid\n")
    return Permit(path)


def revoke_all(layout: Layout) -> None:
    """Revoke the permits of all earlier builds. Raises DatasetError `in_use` while a worker of them still writes."""
    if layout.permits.is_dir():
        for path in sorted(layout.permits.iterdir()):
            Permit(path).revoke()
        with suppress(OSError):
            layout.permits.rmdir()


def _open(path: Path) -> int | None:
    """A descriptor of a permit's file; None if there is none. Raises DatasetError if it cannot be opened."""
    with wrap_write_errors(path):
        try:
            return os.open(path, os.O_RDWR)  # network folders lock only what may be written
        except FileNotFoundError:
            return None


def _lock(descriptor: int, shared: bool, patience: float | None) -> bool:
    """Lock a file until its descriptor is closed. patience: seconds; None waits for ever. Returns whether it worked."""
    import fcntl  # Ray has no stable version for Windows, which lacks this

    kind, until = fcntl.LOCK_SH if shared else fcntl.LOCK_EX, time.monotonic() + (patience or 0)
    if patience is None:
        fcntl.flock(descriptor, kind)
        return True
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(_PAUSE)
        else:
            return True

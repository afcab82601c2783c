"""Takes a lock file of a dataset, for a process that is going to write."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout

from facesieve.dataset.disk.atomic import wrap_write_errors
from facesieve.errors import DatasetError


def acquired_lock(path: Path, seconds: float, busy: str, written: Path) -> FileLock:
    """Take the lock, which the caller must release. Its folder is made if it is missing.

    seconds: how long to wait for another process. Raises DatasetError `in_use` with the message `busy` after that, and
    `cannot_write`, which names the path `written`, if the lock file cannot be written.
    """
    with wrap_write_errors(written):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, timeout=seconds)
        try:
            lock.acquire()
        except Timeout as error:
            raise DatasetError("in_use", busy) from error
    return lock

"""Temporary files and folders that a later process removes if this one is killed.

Each is locked with a shared lock, which the system releases when the process ends. Without such locks (on Windows),
nothing is locked and nothing is removed later.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_OURS = re.compile(r"facesieve-tmp-[0-9a-f]{8}(\.tar)?")
_FRESH = 60.0  # seconds; a younger one may not be locked yet
_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def temporary_name(suffix: str = "") -> Path:
    """A new name in the temporary folder. Raises FileNotFoundError when there is no such folder."""
    return Path(tempfile.gettempdir(), f"facesieve-tmp-{os.urandom(4).hex()}{suffix}")


def lock(path: Path) -> int | None:
    """Lock a new file or folder until the returned descriptor is closed. Returns None where there are no locks."""
    descriptor = None
    with contextlib.suppress(ImportError, OSError):  # Windows; file systems without locks
        import fcntl

        descriptor = os.open(path, _OPEN)
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    return descriptor


def unlock(descriptor: int | None) -> None:
    """Release a lock. descriptor: what `lock` returned."""
    if descriptor is not None:
        os.close(descriptor)


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that only this user can open; it is removed at the end. Raises OSError when it cannot be made."""
    path = temporary_name()
    path.mkdir(mode=0o700)
    held = lock(path)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        unlock(held)


def remove_stale() -> None:
    """Remove the temporary files and folders of this user's processes that were killed."""
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        with os.scandir(tempfile.gettempdir()) as entries:
            names = [Path(entry.path) for entry in entries if _OURS.fullmatch(entry.name)]
        for path in names:
            with contextlib.suppress(OSError):
                descriptor = os.open(path, _OPEN)
                try:
                    status = os.fstat(descriptor)
                    if status.st_uid != os.getuid() or time.time() - status.st_mtime < _FRESH:
                        continue
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises OSError while its process runs
                    if stat.S_ISDIR(status.st_mode):
                        shutil.rmtree(path, ignore_errors=True)
                    else:
                        path.unlink()
                finally:
                    os.close(descriptor)

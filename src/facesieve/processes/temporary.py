"""Names in the temporary folder: held while their process lives, so that a later one removes what SIGKILL left.

What is held has a shared lock on it, which the system releases with the process. Without such locks, on Windows,
nothing is held and nothing removed.
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
_FRESH = 60.0  # seconds; what is younger may not be held yet
_OPEN = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def temporary_name(suffix: str = "") -> Path:
    """A new name of ours in the temporary folder. Raises FileNotFoundError where there is no such folder."""
    return Path(tempfile.gettempdir(), f"facesieve-tmp-{os.urandom(4).hex()}{suffix}")


def hold(path: Path) -> int | None:
    """Hold a file or folder that was just made until the returned descriptor is closed; None without locks."""
    descriptor = None
    with contextlib.suppress(ImportError, OSError):  # Windows; file systems without locks
        import fcntl

        descriptor = os.open(path, _OPEN)
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    return descriptor


def release(descriptor: int | None) -> None:
    """Let go of what `hold` returned."""
    if descriptor is not None:
        os.close(descriptor)


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for this user alone, which goes at the end. Raises OSError where none can be made."""
    path = temporary_name()
    path.mkdir(mode=0o700)
    held = hold(path)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        release(held)


def remove_stale() -> None:
    """Remove what processes of this user left that were killed."""
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
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # OSError where its process lives
                    if stat.S_ISDIR(status.st_mode):
                        shutil.rmtree(path, ignore_errors=True)
                    else:
                        path.unlink()
                finally:
                    os.close(descriptor)

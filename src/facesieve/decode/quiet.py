"""Keeps warnings about damaged files, which do not name the file, off the host application's standard error.

The refusal of the picture says what is wrong, and with which file.
"""

from __future__ import annotations

import ctypes
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import _imaging


class _WhileQuiet(threading.local):
    """Matches only in threads that are quiet now. It takes the place of a warning filter's message pattern."""

    on = False

    def match(self, text: str) -> bool:
        return self.on

    def lets_through(self, record: logging.LogRecord) -> bool:
        """A filter for a logger."""
        return not self.on


class _ErrorLines:
    """libtiff's error lines on standard error, such as `tempfile.tif: Using code not yet in table.`

    Pillow turns off libtiff's warnings and leaves its errors on. libtiff has one handler per process. So while a
    picture is decoded, TIFF errors of other threads are not printed either. The last thread to finish restores the
    handler.
    """

    def __init__(self) -> None:
        self._lock, self._users = threading.Lock(), 0
        self._before: int | None = None
        self._set: Any = None
        try:
            self._set = ctypes.CDLL(_imaging.__file__).TIFFSetErrorHandler
            self._set.argtypes, self._set.restype = [ctypes.c_void_p], ctypes.c_void_p
        except (AttributeError, OSError):  # a Pillow without libtiff, or with one that cannot be reached
            pass

    def hide(self) -> None:
        with self._lock:
            self._users += 1
            if self._set and self._users == 1:
                self._before = self._set(None)

    def show(self) -> None:
        with self._lock:
            self._users -= 1
            if self._set and not self._users:
                self._set(self._before)


# The only module state in this room. `warnings.filters` and libtiff's handler exist once per process, and
# `catch_warnings` is not safe with threads. Permanent filters that look at their own thread are.
_WHILE_QUIET = _WhileQuiet()
_FILTER: Any = ("ignore", _WHILE_QUIET, Warning, None, 0)
_ERROR_LINES = _ErrorLines()
_LOGGER = logging.getLogger("PIL.TiffImagePlugin")  # the only module of Pillow that logs errors about a file
_LOGGER.addFilter(_WHILE_QUIET.lets_through)


@contextmanager
def quiet() -> Iterator[None]:
    """In this block, this thread shows and raises no Python warning, and Pillow and libtiff print nothing."""
    if _FILTER not in warnings.filters[:1]:
        warnings.filters.insert(0, _FILTER)  # type: ignore[attr-defined]
    before, _WHILE_QUIET.on = _WHILE_QUIET.on, True
    _ERROR_LINES.hide()
    try:
        yield
    finally:
        _ERROR_LINES.show()
        _WHILE_QUIET.on = before

"""Pillow's warnings about strangers' files, kept off the host application's stderr, thread by thread."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _WhileQuiet(threading.local):
    """Stands where a warning filter keeps its message pattern, and matches only in threads that are quiet now."""

    on = False

    def match(self, text: str) -> bool:
        return self.on


# The one piece of module state in this room: `warnings.filters` is one list per process, and `catch_warnings`
# swaps it under other threads' feet. One permanent entry that looks at its own thread does neither.
_WHILE_QUIET = _WhileQuiet()
_ENTRY: Any = ("ignore", _WHILE_QUIET, Warning, None, 0)


@contextmanager
def quiet() -> Iterator[None]:
    """No warning is shown, or raised as an error, from this thread; others are not affected."""
    if _ENTRY not in warnings.filters[:1]:
        warnings.filters.insert(0, _ENTRY)  # type: ignore[attr-defined]
    before, _WHILE_QUIET.on = _WHILE_QUIET.on, True
    try:
        yield
    finally:
        _WHILE_QUIET.on = before

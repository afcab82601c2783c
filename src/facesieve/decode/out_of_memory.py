"""Distinguishes a lack of memory from a damaged picture, which each decoder reports in its own words."""

from __future__ import annotations

import errno

import numpy as np

from facesieve.decode.cost import BYTES_PER_PIXEL, Size

_WORDS = (
    "out of memory",
    "insufficient memory",
    "not enough memory",
    "memory allocation",
    "cannot allocate",
    "failed to allocate",
    "bad_alloc",
    "malloc",
)
_LIMITS = ("security limit", "exceeds")  # libheif reports its own limits on a file as a failed allocation


def is_about_memory(error: BaseException) -> bool:
    """Whether an error of a decoder says, by its type or its text, that there is not enough memory."""
    said = str(error).lower()
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return any(words in said for words in _WORDS) and not any(words in said for words in _LIMITS)


def lacks_memory_for(format: str, size: Size) -> bool:
    """Whether there is not enough memory now to decode a picture of this format and size.

    libjpeg and others report a failed allocation as a broken stream, so this is checked after every failure.
    """
    try:
        np.empty(size[0] * size[1] * (BYTES_PER_PIXEL.get(format, 8) + 8), np.uint8)
    except MemoryError:
        return True
    return False

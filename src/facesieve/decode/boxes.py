"""The outermost boxes of HEIF, AVIF and JPEG 2000 files, read in bounded time."""

from __future__ import annotations

from collections.abc import Iterator

from facesieve.decode.integers import big
from facesieve.errors import Refused
from facesieve.records import RefusalCode

MOST_META = 1 << 24  # bytes of a box that lists others; the pixels are outside such boxes
_MOST_BOXES = 1 << 14


def boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The outermost boxes of a file (ISO/IEC 14496-12 4.2): type, start and end of the content.

    Raises Refused `corrupt` when there are too many.
    """
    at = 0
    for _ in range(_MOST_BOXES):
        if at > len(data) - 8:
            return
        size, kind, start = big(data[at : at + 4]), data[at + 4 : at + 8], at + 8
        if size == 1:
            size, start = big(data[start : start + 8]), start + 8
        end = at + size if size else len(data)
        if end < start:
            return
        yield kind, start, min(end, len(data))
        at = end
    raise Refused(RefusalCode.CORRUPT, f"The file has more than {_MOST_BOXES:,} boxes.")

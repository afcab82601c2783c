"""The first frame of a GIF file (GIF89a specification), without comments, other extensions and later frames."""

from __future__ import annotations

from facesieve.errors import Refused
from facesieve.records import RefusalCode

_HEADER, _DESCRIPTOR = 13, 10
_IMAGE, _EXTENSION, _TRAILER, _GRAPHIC_CONTROL = 0x2C, 0x21, 0x3B, 0xF9
_MOST_BLOCKS = 1 << 20  # of the whole file up to the end of its first frame


def first_frame(data: bytes) -> bytes:
    """A GIF of one frame. Raises Refused: `truncated`, `corrupt`."""
    start = _HEADER + _table(data, 10)
    at, control, left = start, b"", _MOST_BLOCKS
    while left := left - 1:
        if at >= len(data):
            raise Refused(RefusalCode.TRUNCATED)
        kind = data[at]
        if kind == _IMAGE:
            end, _ = _blocks_end(data, at + _DESCRIPTOR + _table(data, at + 9) + 1, left)
            # A frame that was cut short keeps its open end, so that the decoder notices.
            return b"".join((data[:start], control, data[at:end], b";" if end < len(data) else b""))
        if kind == _EXTENSION:
            end, left = _blocks_end(data, at + 2, left)
            if data[at + 1 : at + 2] == bytes([_GRAPHIC_CONTROL]):
                control = data[at:end]
            at = end
        elif kind == _TRAILER:
            break
        else:
            at += 1  # stray bytes between blocks; other readers skip them too
    raise Refused(RefusalCode.CORRUPT)


def _table(data: bytes, flags_at: int) -> int:
    """The size in bytes of the colour table that the flags at this offset announce."""
    flags = data[flags_at] if flags_at < len(data) else 0
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _blocks_end(data: bytes, at: int, most: int) -> tuple[int, int]:
    """The offset after a chain of blocks, and how many blocks are left of `most`.

    The offset is the end of the file where the chain does not end. Raises Refused `corrupt` for more blocks.
    """
    for left in range(most - 1, 0, -1):
        if at >= len(data):
            return len(data), left
        size = data[at]
        at += size + 1
        if not size:
            return at, left
    raise Refused(RefusalCode.CORRUPT)

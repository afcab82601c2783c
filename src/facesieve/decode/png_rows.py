"""Whether the compressed data of a PNG ends before its last row. Pillow then leaves the other rows black, silently."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from PIL.Image import Image

from facesieve.decode.integers import big

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
# First column, first row and steps of each pass of an interlaced picture (W3C PNG, section 8.2).
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_PIECE = 1 << 20


def lacks_rows(data: bytes, image: Image) -> bool:
    """Whether rows are missing. data: the PNG. image: its decoded pixels, as stored.

    The data is inflated again only if one of the last two rows is black.
    """
    rows = (image.crop((0, row, image.width, row + 1)) for row in range(max(0, image.height - 2), image.height))
    if all(row.getbbox(alpha_only=False) for row in rows):
        return False
    left, unpacker = _size_of_rows(data), zlib.decompressobj()
    for body in _bodies(data):
        while body and left > 0 and not unpacker.eof:
            left -= len(unpacker.decompress(body, _PIECE))
            body = unpacker.unconsumed_tail
    return left > 0


def _size_of_rows(data: bytes) -> int:
    """Bytes of all rows with their filter bytes."""
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", data[16:29])
    total = 0
    for left, top, across, down in _PASSES if interlaced else ((0, 0, 1, 1),):
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * depth * _CHANNELS[colour] + 7) // 8)
    return total


def _bodies(data: bytes) -> Iterator[bytes]:
    at = 8
    while at < len(data):
        size = big(data[at : at + 4])
        if data[at + 4 : at + 8] == b"IDAT":
            yield data[at + 8 : at + 8 + size]
        at += 12 + size

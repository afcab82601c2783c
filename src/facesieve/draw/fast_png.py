"""PNG for the wire, as fast as it goes: a head crop of a portrait took as long as finding the face.

`dataset` has its own encoder: there the bytes are to be the same in every release and on every machine.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
from isal import isal_zlib

from facesieve.records import Pixels

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB = (8, 2, 0, 0, 0)  # bits, colour, deflate, filters, no interlace
_UP = 2
_LEVEL = 2  # of ISA-L's deflate: 700 x 700 of faces take an eighth of the time of zlib's level 1, and 3 % more bytes


def fast_png(pixels: Pixels) -> bytes:
    """A (H, W, 3) uint8 RGB picture as PNG (ISO/IEC 15948), each row as its difference to the row above."""
    height, width = pixels.shape[:2]
    flat = pixels.reshape(height, 3 * width)
    rows = np.empty((height, 1 + 3 * width), np.uint8)
    rows[:, 0], rows[0, 1:] = _UP, flat[0]
    np.subtract(flat[1:], flat[:-1], out=rows[1:, 1:])
    header = struct.pack(">II5B", width, height, *_RGB)
    data = isal_zlib.compress(rows.data, _LEVEL)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))

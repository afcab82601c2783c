"""A fast PNG encoder for answers of the service, where encoding a head crop took as long as detecting the face.

Files of a dataset are written by `encode` instead, whose bytes are the same in every release and on every machine.
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
_LEVEL = 2  # of ISA-L; 700 x 700 pixels of faces take an eighth of the time of zlib at level 1, and 3 % more bytes


def fast_png(pixels: Pixels) -> bytes:
    """A (H, W, 3) uint8 RGB picture as PNG (ISO/IEC 15948), stored as differences between rows."""
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

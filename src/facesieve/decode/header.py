"""The size that a picture states in its first bytes, read before any decoder runs."""

from __future__ import annotations

from facesieve.decode.bmp_header import bmp_size
from facesieve.decode.boxes import MOST_META, boxes
from facesieve.decode.cost import Size
from facesieve.decode.integers import big, little
from facesieve.decode.jpeg2000 import jpeg2000_size
from facesieve.decode.jpeg_stream import read_header
from facesieve.decode.netpbm import netpbm_size
from facesieve.decode.tiff_tags import first_directory
from facesieve.errors import Refused

UNKNOWN: Size = (0, 0)

_TIFF_SIDES = (256, 257)
_MOST_SIZES = 4096


def declared_size(format: str, data: bytes) -> Size:
    """Width and height as stored, in pixels; (0, 0) if these bytes do not state it, and only the decoder can tell."""
    read = {
        "jpeg": _jpeg,
        "png": _png,
        "gif": _gif,
        "bmp": bmp_size,
        "webp": _webp,
        "tiff": _tiff,
        "heif": _isobmff,
        "avif": _isobmff,
        "jpeg2000": jpeg2000_size,
        "netpbm": netpbm_size,
        "raw": _unknown,
    }
    return read[format](data)


def ends_early(format: str, data: bytes) -> bool:
    """Whether a WebP is shorter than it states; the decoders of other formats notice that themselves."""
    return format == "webp" and little(data[4:8]) + 8 > len(data)


def _png(data: bytes) -> Size:
    return (big(data[16:20]), big(data[20:24])) if data[12:16] == b"IHDR" else UNKNOWN


def _gif(data: bytes) -> Size:
    return little(data[6:8]), little(data[8:10])


def _webp(data: bytes) -> Size:
    """RFC 9649: from the extended header, else from the first chunk, a lossy or lossless frame."""
    kind, body = data[12:16], data[20:]
    if kind == b"VP8X":
        return little(body[4:7]) + 1, little(body[7:10]) + 1
    if kind == b"VP8L":
        bits = little(body[1:5])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return little(body[6:8]) & 0x3FFF, little(body[8:10]) & 0x3FFF


def _jpeg(data: bytes) -> Size:
    try:
        header = read_header(data)
    except Refused:
        return UNKNOWN
    return header.width, header.height


def _unknown(data: bytes) -> Size:
    return UNKNOWN


def _tiff(data: bytes) -> Size:
    """ImageWidth and ImageLength of the first directory (TIFF 6.0, section 2)."""
    try:
        directory = first_directory(data)
    except ValueError:
        return UNKNOWN
    width, height = (directory.number(tag, 0) for tag in _TIFF_SIDES)
    return width, height


def _isobmff(data: bytes) -> Size:
    """The largest `ispe` (image spatial extents, ISO/IEC 23008-12 6.5.3) of the meta box; tiles have smaller ones."""
    start, end = next(((start, end) for kind, start, end in boxes(data) if kind == b"meta"), (0, 0))
    largest, at, end = UNKNOWN, start, min(end, start + MOST_META)
    for _ in range(_MOST_SIZES):
        if (at := data.find(b"ispe", at + 1, end)) < 0:
            break
        size = big(data[at + 8 : at + 12]), big(data[at + 12 : at + 16])
        largest = max(largest, size, key=lambda size: size[0] * size[1])
    return largest

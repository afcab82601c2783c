"""The size that a picture states in its first bytes, read before any decoder runs."""

from __future__ import annotations

from facesieve.decode.cost import Size
from facesieve.decode.integers import big, little
from facesieve.decode.jpeg_stream import read_header
from facesieve.decode.netpbm import netpbm_size
from facesieve.decode.structure import MOST_META, boxes
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
        "bmp": _bmp,
        "webp": _webp,
        "tiff": _tiff,
        "heif": _isobmff,
        "avif": _isobmff,
        "jpeg2000": _jpeg2000,
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


def _bmp(data: bytes) -> Size:
    if little(data[14:18]) == 12:
        return little(data[18:20]), little(data[20:22])
    return tuple(abs(int.from_bytes(data[at : at + 4], "little", signed=True)) for at in (18, 22))  # type: ignore[return-value]


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


def _jpeg2000(data: bytes) -> Size:
    """From the reference grid in the SIZ segment (ITU-T T.800 A.5.1), the first segment of the codestream."""
    start = data.find(b"\xff\x4f\xff\x51", 0, MOST_META)
    x1, y1, x0, y0 = (big(data[at : at + 4]) for at in range(start + 8, start + 24, 4))
    return (max(x1 - x0, 0), max(y1 - y0, 0)) if start >= 0 else UNKNOWN


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

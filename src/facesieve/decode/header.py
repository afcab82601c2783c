"""How large a picture says it is, read from its first bytes by plain arithmetic, before any decoder runs."""

from __future__ import annotations

from facesieve.errors import Refused
from facesieve.records import RefusalCode
from facesieve.settings import Settings

Size = tuple[int, int]
UNKNOWN: Size = (0, 0)

# Start-of-frame markers, ITU-T T.81 table B.1: all of 0xC0..0xCF but DHT, JPG and DAC.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_TIFF_SIDES, _TIFF_SHORT = (256, 257), 3
_BARE = frozenset({0x01, *range(0xD0, 0xD9)})


def declared_size(format: str, data: bytes) -> Size:
    """Width and height as stored, in pixels; (0, 0) where these bytes do not say: the decoder's own reader will."""
    read = {
        "jpeg": _jpeg,
        "png": _png,
        "gif": _gif,
        "bmp": _bmp,
        "webp": _webp,
        "tiff": _tiff,
        "heif": _isobmff,
        "avif": _isobmff,
    }
    return read[format](data)


def check_size(size: Size, settings: Settings) -> None:
    """Raises Refused: `too_many_pixels`, `too_long_side`."""
    width, height = size
    if width * height > settings.max_pixels:
        raise Refused(RefusalCode.TOO_MANY_PIXELS)
    if max(size) > settings.max_side:
        raise Refused(RefusalCode.TOO_LONG_SIDE)


def ends_early(format: str, data: bytes) -> bool:
    """Whether a WebP is shorter than it says; the other formats' decoders notice by themselves."""
    return format == "webp" and _little(data[4:8]) + 8 > len(data)


def _big(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _png(data: bytes) -> Size:
    return _big(data[16:20]), _big(data[20:24])


def _gif(data: bytes) -> Size:
    return _little(data[6:8]), _little(data[8:10])


def _bmp(data: bytes) -> Size:
    if _little(data[14:18]) == 12:
        return _little(data[18:20]), _little(data[20:22])
    return tuple(abs(int.from_bytes(data[at : at + 4], "little", signed=True)) for at in (18, 22))  # type: ignore[return-value]


def _webp(data: bytes) -> Size:
    """RFC 9649: an extended header, else the first chunk is a lossy or a lossless frame."""
    kind, body = data[12:16], data[20:]
    if kind == b"VP8X":
        return _little(body[4:7]) + 1, _little(body[7:10]) + 1
    if kind == b"VP8L":
        bits = _little(body[1:5])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return _little(body[6:8]) & 0x3FFF, _little(body[8:10]) & 0x3FFF


def _jpeg(data: bytes) -> Size:
    at = 2
    while 0 < (at := data.find(b"\xff", at)) < len(data) - 9:
        marker = data[at + 1]
        if marker in _FRAMES:
            return _big(data[at + 7 : at + 9]), _big(data[at + 5 : at + 7])
        if marker == 0xDA:
            break
        if marker == 0xFF:
            at += 1
        elif marker in _BARE or marker == 0:
            at += 2
        else:
            at += 2 + _big(data[at + 2 : at + 4])
    return UNKNOWN


def _tiff(data: bytes) -> Size:
    """ImageWidth and ImageLength of the first directory (TIFF 6.0, section 2); BigTIFF does not say."""
    number = _little if data[:2] == b"II" else _big
    if number(data[2:4]) != 42:
        return UNKNOWN
    first = number(data[4:8])
    size = dict.fromkeys(_TIFF_SIDES, 0)
    for at in range(first + 2, first + 2 + 12 * number(data[first : first + 2]), 12):
        tag, short = number(data[at : at + 2]), number(data[at + 2 : at + 4]) == _TIFF_SHORT
        if tag in size:
            size[tag] = number(data[at + 8 : at + (10 if short else 12)])
    return size[_TIFF_SIDES[0]], size[_TIFF_SIDES[1]]


def _isobmff(data: bytes) -> Size:
    """The largest `ispe` (image spatial extents, ISO/IEC 23008-12 6.5.3) of the meta box; tiles have smaller ones."""
    meta = data.find(b"meta", 0, 1 << 16)
    end = max(meta, 0) + _big(data[max(meta - 4, 0) : max(meta, 0)])
    largest, at = UNKNOWN, meta
    while (at := data.find(b"ispe", at + 1, end)) >= 0:
        size = _big(data[at + 8 : at + 12]), _big(data[at + 12 : at + 16])
        largest = max(largest, size, key=lambda size: size[0] * size[1])
    return largest

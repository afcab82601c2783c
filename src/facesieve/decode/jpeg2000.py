"""What a JPEG 2000 file costs to decode besides its pixels (ITU-T T.800 annex A): tiles, precincts, layers."""

from __future__ import annotations

from collections.abc import Iterator

from facesieve.decode.boxes import boxes
from facesieve.decode.cost import BYTES_PER_PIXEL, Size
from facesieve.decode.integers import big
from facesieve.errors import Refused
from facesieve.records import RefusalCode
from facesieve.settings import Settings

_START, _SIZ = b"\xff\x4f", 0xFF51
_COD, _COC, _POC, _SOT, _SOD, _EOC = 0xFF52, 0xFF53, 0xFF5F, 0xFF90, 0xFF93, 0xFFD9
# The other segments with a length. OpenJPEG searches unknown ones for markers, so a file with one is refused.
_OTHERS = frozenset({0xFF50, *range(0xFF55, 0xFF5F), 0xFF60, 0xFF61, 0xFF63, 0xFF64, 0xFF74, 0xFF75, 0xFF77, 0xFF78})
_KNOWN = _OTHERS | {_SIZ, _COD, _COC, _POC, _SOT}
_MOST_SEGMENTS = 1 << 18
_MOST_CHANNELS = 4
_MOST_PACKETS, _MOST_BLOCKS = 1 << 20, 1 << 19
_TILE_BYTES = 10_000  # what OpenJPEG allocates for each tile before it decodes the first one


def jpeg2000_size(data: bytes) -> Size:
    """Width and height on the reference grid; (0, 0) where there is no codestream."""
    start = _codestream(data)
    if data[start : start + 2] != _START or big(data[start + 2 : start + 4]) != _SIZ:
        return 0, 0
    x1, y1, x0, y0 = (big(data[at : at + 4]) for at in range(start + 8, start + 24, 4))
    return max(x1 - x0, 0), max(y1 - y0, 0)


def check_jpeg2000(data: bytes, settings: Settings) -> None:
    """Refuse a file of endless segments, tiles, precincts, code-blocks or layers.

    Raises Refused: `corrupt`, `unsupported_format` for more than four channels, `too_many_pixels`.
    """
    width, height = jpeg2000_size(data)
    if not width or not height:
        return
    siz = _codestream(data) + 4
    right, bottom, tile_width, tile_height, left, top = (
        big(data[siz + at : siz + at + 4]) for at in (4, 8, 20, 24, 28, 32)
    )
    channels = big(data[siz + 36 : siz + 38])
    if channels > _MOST_CHANNELS:
        message = f"FaceSieve does not read JPEG 2000 pictures with {channels:,} channels."
        raise Refused(RefusalCode.UNSUPPORTED_FORMAT, message)
    tiles = -(-(right - left) // max(tile_width, 1)) * -(-(bottom - top) // max(tile_height, 1))
    memory = width * height * BYTES_PER_PIXEL["jpeg2000"] + tiles * _TILE_BYTES
    if memory > settings.max_decode_bytes:
        raise Refused(
            RefusalCode.TOO_MANY_PIXELS,
            f"Decoding the picture takes about {memory:,} bytes of memory, more than max_decode_bytes: "
            f"it has {tiles:,} tiles.",
        )
    layers, precincts, positions, blocks = 1, 0, 0, 0
    for marker, body in _segments(data, siz - 2):
        if marker == _COD:
            layers = max(layers, big(body[2:4]))
        styles = {_COD: body[:1] + body[5:], _COC: body[1:]}
        if marker in styles:
            here = _parts(styles[marker], min(tile_width, width), min(tile_height, height))
            precincts, positions, blocks = map(max, (precincts, positions, blocks), here)
    parts = tiles * channels
    if parts * max(precincts * layers, positions) > _MOST_PACKETS or parts * blocks > _MOST_BLOCKS:
        raise Refused(RefusalCode.CORRUPT, "The JPEG 2000 file is cut into more parts than any picture needs.")


def _codestream(data: bytes) -> int:
    """The offset of the codestream: of the first box of type `jp2c`, or 0 in a bare codestream."""
    if data.startswith(_START):
        return 0
    return next((start for kind, start, _ in boxes(data) if kind == b"jp2c"), len(data))


def _segments(data: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    """Marker and content of the segments in the main header and in the headers of all tiles.

    Raises Refused `corrupt` where there are too many, and for an unknown one.
    """
    end = len(data)  # of the part of a tile
    for _ in range(_MOST_SEGMENTS):
        marker = big(data[at : at + 2])
        if marker == _SOD:
            at = end
            continue
        if marker == _EOC or at + 4 > len(data):
            return
        if marker not in _KNOWN:
            raise Refused(RefusalCode.CORRUPT, "The JPEG 2000 file has a segment that is not in the standard.")
        length = big(data[at + 2 : at + 4])
        body = data[at + 4 : at + 2 + length]
        yield marker, body
        if marker == _SOT:
            size = big(body[2:6])
            end = max(at + size, at + 2 + length) if size else len(data)
        at += 2 + max(length, 2)
    raise Refused(RefusalCode.CORRUPT, f"The JPEG 2000 file has more than {_MOST_SEGMENTS:,} segments.")


def _parts(style: bytes, width: int, height: int) -> tuple[int, int, int]:
    """How many precincts, positions of precincts and code-blocks one channel of a tile has at most (T.800 B.6 to B.12).

    style: Scod or Scoc, then the content of SPcod or SPcoc.
    """
    levels = min(big(style[1:2]), 32)
    across, down = ((big(exponent) & 15) + 2 for exponent in (style[2:3], style[3:4]))
    precincts = blocks = 0
    step_across = step_down = 64
    for level in range(levels + 1):
        shift = levels - level
        size = big(style[6 + level : 7 + level]) if big(style[:1]) & 1 else 0xFF
        columns, rows = -(-width >> shift), -(-height >> shift)
        here = _cells(columns, rows, size & 15, size >> 4)
        precincts += here
        blocks += max(3 * here, _cells(columns, rows, across, down))
        step_across, step_down = min(step_across, (size & 15) + shift), min(step_down, (size >> 4) + shift)
    return precincts, (levels + 1) * _cells(width, height, step_across, step_down), blocks


def _cells(width: int, height: int, across: int, down: int) -> int:
    """How many cells of 2 ** across by 2 ** down cover an area."""
    return -(-width >> across) * -(-height >> down)

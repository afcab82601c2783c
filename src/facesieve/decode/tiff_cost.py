"""What a TIFF costs to decode besides its pixels: long lists, tiles larger than the picture, JPEG of many scans."""

from __future__ import annotations

from facesieve.decode.cost import BYTES_PER_PIXEL, SMALL_FILE, check_scans
from facesieve.decode.tiff_tags import MOST_TAGS, Directory, first_directory
from facesieve.errors import Refused
from facesieve.records import RefusalCode
from facesieve.settings import Settings

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _SAMPLES, _ROWS_PER_STRIP, _PLANAR = 256, 257, 258, 259, 277, 278, 284
_STRIPS, _STRIP_BYTES, _TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES = 273, 279, 322, 323, 324, 325
_SIZES = (_WIDTH, _HEIGHT, _TILE_WIDTH, _TILE_HEIGHT)
# Tags whose values decoders read one by one. Other long lists are skipped, or cost no more than the file itself.
_READ = frozenset(
    {*_SIZES, _BITS, _COMPRESSION, 262, _STRIPS, 274, _SAMPLES, _ROWS_PER_STRIP, _STRIP_BYTES, _PLANAR, 317}
    | {_TILES, _TILE_BYTES, 330, 338, 339, 34665, 34853, 40965}
)
_MOST_VALUE_BYTES = 2  # times the file's length: the most bytes of all values together
_MOST_VALUES = 1 << 17  # more strips than a picture of the longest side has rows in three planes

_JPEG = {6, 7}
_SCAN, _PROGRESSIVE = b"\xff\xda", b"\xff\xc2"
_COEFFICIENTS = 6  # bytes per pixel that the decoder keeps until the last scan of a JPEG
_MOST_STRIP_BYTES = 4  # times the file's length: the most bytes of all strips together; a few strips may share bytes


def check_tiff(data: bytes, settings: Settings) -> None:
    """Refuse a TIFF that costs too much. Raises Refused: `corrupt`, `too_many_pixels`, `too_many_scans`."""
    try:
        directory = first_directory(data)
    except ValueError:
        return
    if directory.length > MOST_TAGS:
        message = f"The TIFF's directory has {directory.length:,} entries, more than any picture needs."
        raise Refused(RefusalCode.CORRUPT, message)
    if directory.value_bytes() > _MOST_VALUE_BYTES * len(data) + SMALL_FILE:  # decoders copy each value
        raise Refused(RefusalCode.CORRUPT, "The values in the TIFF's directory overlap.")
    values = max((directory.entries[tag][1] for tag in _READ & directory.entries.keys()), default=0)
    if values > _MOST_VALUES:
        message = f"The TIFF's directory has a list of {values:,} values, more than any picture needs."
        raise Refused(RefusalCode.CORRUPT, message)
    if directory.doubled.intersection(_SIZES):  # decoders differ in which one they use
        raise Refused(RefusalCode.CORRUPT, "The TIFF states its size twice.")
    width, height = directory.number(_WIDTH, 0), directory.number(_HEIGHT, 0)
    if not width or not height:
        return
    tile = _tile(directory, width, height)
    _check_tiles(directory, (width, height), tile, settings)
    if directory.number(_COMPRESSION, 1) in _JPEG:
        _check_jpegs(directory, width * height, tile[0] * tile[1], settings)


def _tile(directory: Directory, width: int, height: int) -> tuple[int, int]:
    """Width and height of the pieces that are decoded one by one: tiles, or strips as wide as the picture."""
    if _TILE_WIDTH in directory.entries or _TILE_HEIGHT in directory.entries:
        return directory.number(_TILE_WIDTH, width), directory.number(_TILE_HEIGHT, height)
    return width, max(1, min(directory.number(_ROWS_PER_STRIP, height), height))


def _check_tiles(directory: Directory, size: tuple[int, int], tile: tuple[int, int], settings: Settings) -> None:
    """Check the tiles: each is decoded whole, even if only a little of it belongs to the picture."""
    pixels, tile_pixels = size[0] * size[1], tile[0] * tile[1]
    bytes_per_pixel = max(4, -(-sum(directory.numbers(_BITS)) // 8))
    memory = pixels * BYTES_PER_PIXEL["tiff"] + max(0, tile_pixels - pixels) * bytes_per_pixel
    if memory > settings.max_decode_bytes:
        raise Refused(
            RefusalCode.TOO_MANY_PIXELS,
            f"Decoding the picture takes about {memory:,} bytes of memory, more than max_decode_bytes: "
            f"its tiles are {tile[0]} x {tile[1]} pixels.",
        )
    tiles = -(-size[0] // max(tile[0], 1)) * -(-size[1] // max(tile[1], 1))
    length = len(directory.data)
    outside = tiles * tile_pixels - pixels
    if 3 * outside > settings.max_expansion * max(length, SMALL_FILE):
        raise Refused(
            RefusalCode.TOO_MANY_PIXELS,
            f"The file has {length:,} bytes, and its tiles claim {outside:,} pixels outside the picture, "
            "more than max_expansion allows.",
        )


def _check_jpegs(directory: Directory, pixels: int, tile_pixels: int, settings: Settings) -> None:
    """Count the scans by their markers: every tile or strip is a JPEG (TIFF Technical Note 2)."""
    data, counts = directory.data, dict[tuple[int, int], int]()
    tags = (_TILES, _TILE_BYTES) if _TILES in directory.entries else (_STRIPS, _STRIP_BYTES)
    positions = list(zip(*(directory.numbers(tag, _MOST_VALUES) for tag in tags), strict=False))
    left, several = _MOST_STRIP_BYTES * len(data), False
    for start, length in set(positions):
        end = min(start + length, len(data))
        left -= max(end - start, 0)
        if left < 0:
            raise Refused(RefusalCode.CORRUPT, "The TIFF's strips overlap.")
        counts[start, length] = scans = data.count(_SCAN, start, end)
        if scans > settings.max_jpeg_scans:
            raise Refused(RefusalCode.TOO_MANY_SCANS)
        several |= scans > 1 or data.find(_PROGRESSIVE, start, end) >= 0
    if not several:
        return
    scans = sum(counts[position] for position in positions)
    check_scans(scans, tile_pixels, settings)
    memory = pixels * BYTES_PER_PIXEL["tiff"] + tile_pixels * _COEFFICIENTS
    if memory > settings.max_decode_bytes:
        raise Refused(
            RefusalCode.TOO_MANY_PIXELS,
            f"Decoding the picture takes about {memory:,} bytes of memory, more than max_decode_bytes.",
        )

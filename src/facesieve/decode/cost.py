"""What it would cost to decode a picture, estimated from its header before any decoder runs."""

from __future__ import annotations

from facesieve.errors import Refused
from facesieve.records import RefusalCode
from facesieve.settings import Settings

Size = tuple[int, int]  # width, height in pixels

# Peak bytes per pixel of each decoder, its result included, measured on pictures of 24 megapixels.
BYTES_PER_PIXEL = {
    "jpeg": 3,
    "png": 8,
    "webp": 17,
    "gif": 5,
    "bmp": 8,
    "tiff": 8,
    "heif": 11,
    "avif": 10,
    "jpeg2000": 20,
    "netpbm": 6,
    "raw": 3,
    "clip": 20,
}

# In these formats a few bytes can claim any number of pixels. PNG and TIFF are not here: blank scans are small files
# of these formats, and are decoded quickly.
_UNBOUNDED = frozenset({"jpeg", "webp", "avif", "heif", "jpeg2000", "gif"})
SMALL_FILE = 1 << 16  # bytes; a smaller file counts as one of this size


def check_size(size: Size, settings: Settings) -> None:
    """Refuse a picture with too many pixels or too long a side. Raises Refused: `too_many_pixels`, `too_long_side`."""
    width, height = size
    if width * height > settings.max_pixels:
        message = f"The picture has {width * height:,} pixels; max_pixels is {settings.max_pixels:,}."
        raise Refused(RefusalCode.TOO_MANY_PIXELS, message)
    if max(size) > settings.max_side:
        message = f"The picture is {width} x {height} pixels; max_side is {settings.max_side:,}."
        raise Refused(RefusalCode.TOO_LONG_SIDE, message)


def check_cost(format: str, size: Size, length: int, settings: Settings, extra: float = 0) -> None:
    """Refuse a picture that takes too much memory to decode, or whose file is too small for its pixels.

    length: the file's size in bytes. extra: bytes per pixel above `BYTES_PER_PIXEL`.
    Raises Refused: `too_many_pixels`, and what `check_size` raises.
    """
    check_size(size, settings)
    pixels = size[0] * size[1]
    memory = int(pixels * (BYTES_PER_PIXEL[format] + extra))
    if memory > settings.max_decode_bytes:
        raise Refused(
            RefusalCode.TOO_MANY_PIXELS,
            f"Decoding the picture takes about {memory:,} bytes of memory, more than max_decode_bytes.",
        )
    if format in _UNBOUNDED and 3 * pixels > settings.max_expansion * max(length, SMALL_FILE):
        raise Refused(
            RefusalCode.TOO_MANY_PIXELS,
            f"The file has {length:,} bytes and claims {pixels:,} pixels, more than max_expansion allows.",
        )


def check_scans(scans: int, pixels: int, settings: Settings) -> None:
    """Refuse a JPEG whose scans would take seconds to decode. Raises Refused: `too_many_scans`."""
    if scans > 1 and scans * pixels > settings.max_jpeg_work:
        raise Refused(
            RefusalCode.TOO_MANY_SCANS,
            f"The JPEG has {scans} scans of {pixels:,} pixels, more work than max_jpeg_work allows.",
        )

"""Decodes JPEG with libjpeg-turbo directly; with Pillow where the pixels would differ or libjpeg-turbo warns."""

from __future__ import annotations

import simplejpeg

from facesieve.decode.colour import to_srgb
from facesieve.decode.cost import check_cost, check_scans
from facesieve.decode.exif import orientation_of
from facesieve.decode.flatten import flatten
from facesieve.decode.jpeg_stream import JpegHeader, read_header, read_scans, without_metadata
from facesieve.decode.still import open_still
from facesieve.decode.upright import upright
from facesieve.errors import is_about_memory
from facesieve.records import Pixels
from facesieve.settings import Settings

_PILLOW = 4  # bytes per pixel that Pillow takes besides the result
_COEFFICIENT = 2  # bytes; with several scans the decoder keeps all coefficients until the last one
_STRAY_BYTES_AT_END = "extraneous bytes before marker 0xd9"


def decode_jpeg(data: bytes, settings: Settings, outer_orientation: int = 1) -> Pixels:
    """Upright (H, W, 3) uint8 RGB; Adobe's inverted CMYK and YCCK are converted to the colours they mean.

    outer_orientation: the EXIF orientation of the file in which this JPEG is embedded; used where the JPEG has no EXIF
    itself. Raises Refused for limits and for missing pixels, Pillow's own exceptions otherwise.
    """
    header = read_header(data)
    pixels = _pixels(data, header, settings)
    if settings.colour_profiles and len(header.components) == 3:
        pixels = to_srgb(pixels, header.icc)
    return upright(pixels, orientation_of(header.exif) if header.exif else outer_orientation)


def _pixels(data: bytes, header: JpegHeader, settings: Settings) -> Pixels:
    """Stored pixels as RGB.

    The fast decoder refuses a picture at any warning of libjpeg. Then this tries again without the metadata. If that
    fails too, Pillow either decodes the picture (stray bytes between scans) or reports missing data, which libjpeg
    alone would fill with grey.
    """
    size = header.width, header.height
    plain = header.precision == 8 and len(header.components) in (1, 3)
    coefficients = 0 if header.one_scan else _COEFFICIENT * header.samples
    check_cost("jpeg", size, len(data), settings, coefficients + (0 if plain else 2 * _PILLOW))
    scans = None
    if not header.one_scan:
        scans = read_scans(data, header, settings.max_jpeg_scans)
        check_scans(scans.count, size[0] * size[1], settings)
    if plain and header.contiguous and (scans is None or scans.ended):
        pixels, _ = _fast(data, header)
        if pixels is not None:
            return pixels
    scans = scans or read_scans(data, header, settings.max_jpeg_scans)
    add_end = False
    if plain and (scans.ended or scans.complete):
        pixels, complaint = _fast(without_metadata(data, header, scans.end, add_end=True), header)
        if pixels is not None:
            return pixels
        add_end = not scans.ended and _STRAY_BYTES_AT_END in complaint
    check_cost("jpeg", size, len(data), settings, coefficients + _PILLOW)
    with open_still("jpeg", without_metadata(data, header, len(data), add_end)) as image:
        image.load()
        return flatten(image)


def _fast(data: bytes, header: JpegHeader) -> tuple[Pixels | None, str]:
    """The pixels, or None and the warning of libjpeg."""
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(data, "RGB", strict=True)
    except ValueError as error:
        if is_about_memory(error):
            raise MemoryError from error
        return None, str(error)
    return (pixels, "") if pixels.shape[:2] == (header.height, header.width) else (None, "")

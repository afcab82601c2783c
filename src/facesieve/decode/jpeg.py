"""JPEG: libjpeg-turbo without a layer between, where it returns the very pixels that Pillow and OpenCV return."""

from __future__ import annotations

import simplejpeg

from facesieve.decode.colour import to_srgb
from facesieve.decode.cost import check_cost, check_passes
from facesieve.decode.exif import orientation_of
from facesieve.decode.flatten import flatten
from facesieve.decode.jpeg_stream import JpegHeader, read_header, read_scans, without_metadata
from facesieve.decode.out_of_memory import is_about_memory
from facesieve.decode.still import open_still
from facesieve.decode.upright import upright
from facesieve.records import Pixels
from facesieve.settings import Settings

_COEFFICIENT = 2  # bytes; a JPEG of several scans keeps every coefficient until its last scan
_STRAY_BYTES_AT_END = "extraneous bytes before marker 0xd9"


def decode_jpeg(data: bytes, settings: Settings, outer_orientation: int = 1) -> Pixels:
    """Upright (H, W, 3) uint8 RGB; Adobe's inverted CMYK and YCCK come out as the colours they mean.

    outer_orientation: of the file that this JPEG is embedded in; it counts where the JPEG has no EXIF of its own.
    Raises Refused for limits and for missing pixels, Pillow's own exceptions otherwise.
    """
    header = read_header(data)
    pixels = _pixels(data, header, settings)
    if settings.colour_profiles and len(header.components) == 3:
        pixels = to_srgb(pixels, header.icc)
    return upright(pixels, orientation_of(header.exif) if header.exif else outer_orientation)


def _pixels(data: bytes, header: JpegHeader, settings: Settings) -> Pixels:
    """Stored pixels as RGB.

    The fast decoder is strict: any warning of libjpeg makes it step aside. It then gets the picture without its
    metadata, and if that does not help, Pillow either decodes (stray bytes between scans) or says that data are
    missing (libjpeg alone would pad with grey).
    """
    size = header.width, header.height
    plain = header.precision == 8 and len(header.components) in (1, 3)
    coefficients = 0 if header.one_scan else _COEFFICIENT * header.samples
    check_cost("jpeg", size, len(data), settings, coefficients + (0 if plain else 8))
    scans = None
    if not header.one_scan:
        scans = read_scans(data, header, settings.max_jpeg_scans)
        check_passes(scans.count, size[0] * size[1], settings)
    if plain and header.tidy and (scans is None or scans.ended):
        pixels, _ = _fast(data, header)
        if pixels is not None:
            return pixels
    scans = scans or read_scans(data, header, settings.max_jpeg_scans)
    close = False
    if plain and (scans.ended or scans.complete):
        pixels, complaint = _fast(without_metadata(data, header, scans.end, close=True), header)
        if pixels is not None:
            return pixels
        close = not scans.ended and _STRAY_BYTES_AT_END in complaint
    with open_still("jpeg", without_metadata(data, header, len(data), close)) as image:
        image.load()
        return flatten(image)


def _fast(data: bytes, header: JpegHeader) -> tuple[Pixels | None, str]:
    """The pixels, or None and what libjpeg complains of."""
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(data, "RGB", strict=True)
    except ValueError as error:
        if is_about_memory(error):
            raise MemoryError from error
        return None, str(error)
    return (pixels, "") if pixels.shape[:2] == (header.height, header.width) else (None, "")

"""JPEG: libjpeg-turbo without a layer between, where it gives the very pixels that Pillow and OpenCV give."""

from __future__ import annotations

import re

import simplejpeg

from facesieve.decode.flatten import flatten
from facesieve.decode.header import check_size
from facesieve.decode.still import open_still
from facesieve.decode.upright import orientation, upright
from facesieve.errors import Refused
from facesieve.records import Pixels, RefusalCode
from facesieve.settings import Settings

_START_OF_SCAN = re.compile(rb"\xff\xda")


def decode_jpeg(data: bytes, settings: Settings) -> Pixels:
    """Upright (H, W, 3) uint8 RGB; Adobe's inverted CMYK and YCCK come out as the colours they mean.

    The fast decoder is strict: any warning of libjpeg makes it step aside, and Pillow then either
    decodes (stray bytes between markers) or says that data are missing (libjpeg alone would pad with grey).
    Raises Refused for limits, Pillow's own exceptions otherwise.
    """
    # In entropy-coded data 0xFF is followed by 0x00 or a restart, so this counts scans, and a thumbnail's besides.
    if len(_START_OF_SCAN.findall(data)) > settings.max_jpeg_scans:
        raise Refused(RefusalCode.TOO_MANY_SCANS)
    with open_still("jpeg", data) as image:
        check_size(image.size, settings)
        pixels = _fast(data) if image.mode in ("L", "RGB") else None
        if pixels is None or pixels.shape[:2] != (image.height, image.width):
            image.load()
            pixels = flatten(image)
        return upright(pixels, orientation(image))


def _fast(data: bytes) -> Pixels | None:
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(data, "RGB", strict=True)
    except ValueError:
        return None
    return pixels

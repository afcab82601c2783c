"""EXIF orientation, applied once."""

from __future__ import annotations

from typing import cast

import cv2
from PIL import ExifTags, Image

from facesieve.records import Pixels


def orientation(image: Image.Image) -> int:
    """The EXIF (or XMP) orientation that is still to be applied, 1 to 8; 1 where there is none or it is broken.

    For AVIF Pillow states the container's irot and imir here, which it does not apply; for TIFF it applies the tag
    while loading and removes it: so ask a loaded image.
    """
    try:
        tag = int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # metadata of strangers breaks in every way, and a picture is not refused for it
        return 1
    return tag if 1 <= tag <= 8 else 1


# Codes of cv2.flip after the transposition that orientations 5 to 8 begin with (TIFF 6.0, Orientation).
_ACROSS, _DOWN, _BOTH = 1, 0, -1
_FLIP = {2: _ACROSS, 3: _BOTH, 4: _DOWN, 6: _ACROSS, 7: _BOTH, 8: _DOWN}


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """(H, W, 3) stored pixels as a person sees them; the same array where nothing is to be done."""
    if orientation >= 5:
        pixels = cast(Pixels, cv2.transpose(pixels))
    if orientation in _FLIP:
        pixels = cast(Pixels, cv2.flip(pixels, _FLIP[orientation]))
    return pixels

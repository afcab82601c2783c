"""EXIF orientation, applied once."""

from __future__ import annotations

import numpy as np
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


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """(H, W, 3) stored pixels as a person sees them (TIFF 6.0, Orientation); contiguous, may be the same array."""
    turned = pixels.swapaxes(0, 1) if orientation >= 5 else pixels
    if orientation in (3, 4, 7, 8):
        turned = turned[::-1]
    if orientation in (2, 3, 6, 7):
        turned = turned[:, ::-1]
    return np.ascontiguousarray(turned)

"""The image pyramid: which scales, and the picture at each of them."""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2

from facesieve.records import Pixels

WINDOW = 12  # P-Net sees 12 x 12 pixels
REFERENCE_FACE = 20  # pixels: the smallest face of the reference, and what its levels are multiples of


def scales(height: int, width: int, min_face_size: int, scale_factor: float) -> list[float]:
    """Scales at which a 12-pixel window spans every face size from `min_face_size` to the whole picture.

    They are the reference's from its smallest face of 20 pixels upward, or from `min_face_size` where that is
    smaller. A larger one leaves out the finest levels and does not move the others, for boxes follow the scales: the
    first level left is the coarsest whose window is not larger than the face.
    """
    first = WINDOW / min(min_face_size, REFERENCE_FACE)
    shortest = min(height, width) * first
    found: list[float] = []
    while shortest >= WINDOW:
        found.append(first * scale_factor ** len(found))
        shortest *= scale_factor
    return [scale for scale in found if scale * scale_factor * min_face_size < WINDOW]


def levels(pixels: Pixels, at: list[float]) -> Iterator[Pixels]:
    """The picture (H, W, 3) uint8 area-averaged to each scale, always from the original."""
    height, width = pixels.shape[:2]
    for scale in at:
        size = math.ceil(width * scale), math.ceil(height * scale)
        yield cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)  # type: ignore[misc]

"""The image pyramid: its scales, and the picture at each scale."""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2

from facesieve.records import Pixels

WINDOW = 12  # P-Net sees 12 x 12 pixels
REFERENCE_FACE = 20  # pixels; the smallest face of the reference, which determines its scales


def scales(height: int, width: int, min_face_size: int, scale_factor: float) -> list[float]:
    """Scales at which a window of 12 pixels shows faces of every size from `min_face_size` to the whole picture.

    height, width, min_face_size: in pixels. scale_factor: the scale of each level relative to the one before it.
    Boxes depend on the scales, so they begin as the reference's do, with the scale for faces of 20 pixels, or of
    `min_face_size` if that is smaller. A larger `min_face_size` only leaves out the finest levels. The finest level
    that is kept is the coarsest whose window is not larger than the face.
    """
    first = WINDOW / min(min_face_size, REFERENCE_FACE)
    shortest = min(height, width) * first
    found: list[float] = []
    while shortest >= WINDOW:
        found.append(first * scale_factor ** len(found))
        shortest *= scale_factor
    return [scale for scale in found if scale * scale_factor * min_face_size < WINDOW]


def levels(pixels: Pixels, scales: list[float]) -> Iterator[Pixels]:
    """The picture (H, W, 3) uint8 RGB at each scale, (ceil(H * scale), ceil(W * scale), 3), by area averaging.

    Each level is computed from the picture itself.
    """
    height, width = pixels.shape[:2]
    for scale in scales:
        size = math.ceil(width * scale), math.ceil(height * scale)
        yield cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)  # type: ignore[misc]

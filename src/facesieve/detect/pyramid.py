"""The image pyramid: which scales, and the picture at each of them."""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2

from facesieve.records import Pixels

WINDOW = 12  # P-Net sees 12 x 12 pixels


def scales(height: int, width: int, min_face_size: int, scale_factor: float) -> list[float]:
    """Scales at which a 12-pixel window spans every face size from `min_face_size` to the whole picture."""
    first = WINDOW / min_face_size
    shortest = min(height, width) * first
    found: list[float] = []
    while shortest >= WINDOW:
        found.append(first * scale_factor ** len(found))
        shortest *= scale_factor
    return found


def levels(pixels: Pixels, at: list[float]) -> Iterator[Pixels]:
    """The picture (H, W, 3) uint8 area-averaged to each scale, always from the original."""
    height, width = pixels.shape[:2]
    for scale in at:
        size = math.ceil(width * scale), math.ceil(height * scale)
        yield cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)  # type: ignore[misc]

"""Unaligned crops of a picture: the box of a face, or its head with a margin around the box."""

from __future__ import annotations

import numpy as np

from facesieve.records import Pixels


def cut(pixels: Pixels, box: tuple[float, float, float, float], margin: float = 0.0) -> Pixels:
    """Crop a box (x, y, w, h in pixels) from a (H, W, 3) uint8 RGB picture. Returns a view of at least one pixel.

    The box is clipped to the picture.
    margin: added on every side, as a share of the box's longer side.
    """
    x, y, w, h = box
    pad = margin * max(w, h)
    height, width = pixels.shape[:2]
    left, right = _span(x - pad, x + w + pad, width)
    top, bottom = _span(y - pad, y + h + pad, height)
    return pixels[top:bottom, left:right]


def _span(low: float, high: float, size: int) -> tuple[int, int]:
    first = int(np.clip(np.rint(low), 0, size - 1))
    last = int(np.clip(np.rint(high), first + 1, size))
    return first, last

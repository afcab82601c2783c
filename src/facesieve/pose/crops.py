"""Square crops around faces for a pose network."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from facesieve.records import Faces, Floats, Integers, Photo, Pixels


def squares(boxes: Floats, margin: float) -> Integers:
    """Left, top and side (N, 3) int64, in pixels, of the square around each box of (N, 4) x, y, w, h.

    The square has the centre of the box. Its side is the longer side of the box, plus `margin` times that on each side.
    """
    sides = np.maximum(boxes[:, 2:].max(axis=1, initial=0) * (1 + 2 * margin), 1)
    corners = boxes[:, :2] + boxes[:, 2:] / 2 - sides[:, None] / 2
    whole: Integers = np.rint(np.column_stack([corners, sides])).astype(np.int64)
    return whole


def crop(photos: Sequence[Photo], faces: Faces, margin: float, side: int) -> Pixels:
    """The squares around N faces, resized: (N, side, side, 3) uint8 RGB, black outside the picture.

    margin: see `squares`. side: of a crop in pixels. Crops are averaged when they shrink and interpolated otherwise.
    """
    crops = np.zeros((len(faces), side, side, 3), np.uint8)
    for into, photo, square in zip(crops, faces.photo, squares(faces.boxes, margin), strict=True):
        _paste(photos[photo].pixels, square.tolist(), into)
    return crops


def _paste(pixels: Pixels, square: Sequence[int], into: Pixels) -> None:
    """Resize only the part of the square inside the picture, so that a huge box does not need more memory."""
    left, top, size = square
    height, width = pixels.shape[:2]
    x1, y1, x2, y2 = max(left, 0), max(top, 0), min(left + size, width), min(top + size, height)
    scale = len(into) / size
    to_x1, to_x2 = round((x1 - left) * scale), round((x2 - left) * scale)
    to_y1, to_y2 = round((y1 - top) * scale), round((y2 - top) * scale)
    if to_x1 < to_x2 and to_y1 < to_y2:
        shrinks = scale < 1
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        into[to_y1:to_y2, to_x1:to_x2] = cv2.resize(
            pixels[y1:y2, x1:x2], (to_x2 - to_x1, to_y2 - to_y1), interpolation=how
        )

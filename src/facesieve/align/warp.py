"""Affine warps of all faces of a photo. They return the same bytes on every machine.

OpenCV 5 changed the arithmetic of `cv2.warpAffine`, which changes every published value of blur. This is the arithmetic
of OpenCV 4 (modules/imgproc/src/imgwarp.cpp): coordinates in 1/1024 pixel rounded to 1/32, and whole-number weights.
The compiled extension computes it directly. Without it, `cv2.remap` with the same fixed-point maps returns the same
bytes.
"""

from __future__ import annotations

import cv2
import numpy as np

from facesieve.native import Extension
from facesieve.records import Floats, Integers, Pixels

COORDINATE, FRACTION_BITS = 1024, 5
FRACTIONS = 1 << FRACTION_BITS
FARTHEST = 2.0**31  # in 1/1024 pixel: outside any picture, and small enough for the integers


def warp_affine(pixels: Pixels, matrices: Floats, size: int, extension: Extension | None = None) -> Pixels:
    """Crops (N, size, size, 3) uint8 RGB of a photo (H, W, 3) uint8 RGB; bilinear, black outside the photo.

    matrices: (N, 2, 3) float64, photo to crop. If one has no inverse, every pixel of its crop shows the same point of
    the photo. extension: computes the warp; None leaves it to OpenCV, which returns the same bytes.
    """
    if extension:
        return extension.warp(np.ascontiguousarray(pixels), np.ascontiguousarray(matrices), size)
    return warp_by_remap(pixels, matrices, size)


def warp_by_remap(pixels: Pixels, matrices: Floats, size: int) -> Pixels:
    """`warp_affine` without the extension; the bytes are the same."""
    crops = np.empty((len(matrices), size, size, 3), np.uint8)
    for crop, matrix in zip(crops, matrices, strict=True):
        x, y = _source_points(matrix, size)
        # The part of the photo that the crop can touch: remap counts pixels in 16 bits.
        left, top = (max(int(at.min() >> FRACTION_BITS), 0) for at in (x, y))
        part = pixels[top : max(int(y.max() >> FRACTION_BITS) + 2, 0), left : max(int(x.max() >> FRACTION_BITS) + 2, 0)]
        if part.size == 0:
            crop[:] = 0
            continue
        whole = np.stack([(x >> FRACTION_BITS) - left, (y >> FRACTION_BITS) - top], axis=-1)
        share = (y % FRACTIONS * FRACTIONS + x % FRACTIONS).astype(np.uint16)
        cv2.remap(part, whole.clip(-2, 2**15 - 1).astype(np.int16), share, cv2.INTER_LINEAR, dst=crop)
    return crops


def _source_points(matrix: Floats, size: int) -> tuple[Integers, Integers]:
    """Where each pixel of the crop lies in the photo, in 1/32 pixel: x and y, each (size, size) int64."""
    (a, b, shift_x), (c, d, shift_y) = matrix.tolist()
    determinant = a * d - b * c
    scale = 1 / determinant if determinant else 0.0
    xx, xy, yx, yy = d * scale, b * -scale, c * -scale, a * scale
    steps = np.arange(size)
    x = _coordinates(xx * steps * COORDINATE, (xy * steps + (-xx * shift_x - xy * shift_y)) * COORDINATE)
    y = _coordinates(yx * steps * COORDINATE, (yy * steps + (-yx * shift_x - yy * shift_y)) * COORDINATE)
    return x, y


def _coordinates(along: Floats, down: Floats) -> Integers:
    half = COORDINATE // FRACTIONS // 2
    across, below = (np.rint(part.clip(-FARTHEST, FARTHEST)).astype(np.int64) for part in (along, down))
    coordinates: Integers = (below[:, np.newaxis] + across + half) // (COORDINATE // FRACTIONS)
    return coordinates

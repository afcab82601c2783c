"""The reference's measure of blur."""

from __future__ import annotations

import cv2
import numpy as np

from facesieve.native import Extension
from facesieve.records import Floats, Pixels


def blur(grey: Pixels, extension: Extension | None = None) -> Floats:
    """(N,) variance of the 3 x 3 Laplacian of each crop; low is blurred.

    grey: (N, S, S) uint8 luma. Values are comparable with those that the reference published only for S = 112.
    extension: computes it; None leaves it to OpenCV, which returns the same bits.
    Source: Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000.
    """
    if extension:
        return extension.laplacian_variance(np.ascontiguousarray(grey))
    return blur_by_opencv(grey)


def blur_by_opencv(grey: Pixels) -> Floats:
    """`blur` without the extension; the bits are the same."""
    # The Laplacian of bytes fits into int16, and the sum of integers does not depend on their order.
    laplacians = [cv2.Laplacian(crop, cv2.CV_16S) for crop in grey]
    return np.array([_variance(laplacian) for laplacian in laplacians], np.float64)


def _variance(laplacian: cv2.typing.MatLike) -> float:
    values = laplacian.astype(np.int64)
    total, squares = int(values.sum()), int((values * values).sum())
    return (squares - total * total / values.size) / values.size


def luma(crops: Pixels) -> Pixels:
    """(N, S, S) uint8 luma of (N, S, S, 3) uint8 RGB crops, by BT.601 as in the reference."""
    count, height, width = crops.shape[:3]
    if count == 0:
        return np.empty((0, height, width), np.uint8)
    stacked = np.ascontiguousarray(crops).reshape(count * height, width, 3)
    return cv2.cvtColor(stacked, cv2.COLOR_RGB2GRAY).reshape(count, height, width).astype(np.uint8, copy=False)

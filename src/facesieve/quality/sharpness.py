"""Sharpness: how much real detail a crop has, from the width of its edges and from its enlargement."""

from __future__ import annotations

import numpy as np

from facesieve.quality.region import face_region
from facesieve.records import Floats, Mask, Pixels

# The re-blurred gradient of a pixel depends on this many pixels around it.
REACH = 3
# Sigma in crop pixels of the edges of a sharp photo that was not resized: the blur of the lens and of one pixel.
SHARP_EDGE = 0.5
WIDEST_EDGE = 10.0


def edge_width(grey: Pixels, shown: Mask) -> Floats:
    """(N,) sigma in crop pixels of the edges in the face region; NaN where no pixel of the region is shown.

    grey: (N, S, S) uint8 luma. shown: (N, S, S) boolean, which pixels have `REACH` pixels around them in the picture.
    Blurring an edge of width s again with sigma 1 divides its gradient by r = sqrt(1 + 1 / s^2), whatever its contrast;
    so s = 1 / sqrt(r^2 - 1). The mean of r is weighted with the squared re-blurred gradient, so that edges have more
    weight than noise. A face without any edge has the largest width, 10.
    Source: Zhuo and Sim, "Defocus map estimation from a single image", Pattern Recognition 44 (2011).
    """
    rows, columns, region = face_region(grey.shape[1], reach=REACH)
    once = grey[:, rows, columns].astype(np.float64)
    twice = _reblurred(once)
    judged = shown[:, rows, columns] & region
    weights = _gradient(twice) * judged
    before = (weights * _gradient(once)).reshape(len(grey), region.size).sum(axis=1)
    after = (weights * weights).reshape(len(grey), region.size).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(after > 0, before / after, 0.0)
    width = 1 / np.sqrt(np.maximum(ratio * ratio - 1, WIDEST_EDGE**-2))
    return np.where(judged.any(axis=(1, 2)), width, np.nan)


def sharpness(width: Floats, upsampling: Floats) -> Floats:
    """(N,) 0 to 100: the detail of each crop, in percent of the most detail that a crop of its size can have.

    width: (N,) from `edge_width`. upsampling: (N,) from `size.upsampling`.
    It is the lower one of two bounds. The first is (sharp edge / edge width) squared. For faces that were shrunk and
    enlarged again by a factor it is close to 1 / factor, so it also falls for pictures that were enlarged before. The
    second is 1 / upsampling, which noise and ringing cannot raise.
    """
    with np.errstate(divide="ignore"):
        return 100 * np.minimum(1.0, np.minimum((SHARP_EDGE / width) ** 2, 1 / upsampling))


def _reblurred(grey: Floats) -> Floats:
    """(N, H, W) blurred with the binomial kernel of variance 1 in both directions; border pixels are repeated."""
    height, width = grey.shape[1:]
    padded = np.pad(grey, ((0, 0), (2, 2), (2, 2)), mode="edge")
    down = _binomial(*(padded[:, i : i + height] for i in range(5)))
    return _binomial(*(down[:, :, i : i + width] for i in range(5)))


def _binomial(a: Floats, b: Floats, c: Floats, d: Floats, e: Floats) -> Floats:
    return ((a + e) + 4 * (b + d) + 6 * c) / 16


def _gradient(grey: Floats) -> Floats:
    """(N, H, W) squared length of the forward difference; the last row and column have only one component of it."""
    answer = np.zeros_like(grey)
    answer[:, :, :-1] += np.diff(grey, axis=2) ** 2
    answer[:, :-1] += np.diff(grey, axis=1) ** 2
    return answer

"""Linear luminance of the face region, as histograms that every lighting measure reads."""

from __future__ import annotations

from functools import cache

import numpy as np

from facesieve.quality import libm
from facesieve.quality.region import face_region
from facesieve.records import Floats, Integers, Mask, Pixels

WEIGHTS = (0.2126, 0.7152, 0.0722)
LEVELS = 256


@cache
def _tables() -> Floats:
    """(3, 256) what a red, green and blue byte each add to luminance on a scale of 255."""
    value = np.arange(LEVELS) / 255
    linear = np.where(value <= 0.04045, value / 12.92, libm.power((value + 0.055) / 1.055, 2.4))
    tables: Floats = 255 * np.array(WEIGHTS)[:, None] * linear
    tables.flags.writeable = False
    return tables


def luminance(crops: Pixels) -> Pixels:
    """(...) uint8 linear luminance of (..., 3) uint8 sRGB. Source: ISO/IEC 29794-5:2025, as BSI OFIQ computes it."""
    red, green, blue = _tables()
    light = red[crops[..., 0]] + green[crops[..., 1]] + blue[crops[..., 2]]
    answer: Pixels = np.floor(light + 0.5).astype(np.uint8)
    return answer


def histograms(crops: Pixels, shown: Mask) -> Integers:
    """(N, 2, 256) how often each luminance occurs in the viewer's left and right half of the face region.

    crops: (N, S, S, 3) uint8 RGB. shown: (N, S, S), which crop pixels show the picture; the others do not count.
    """
    rows, columns, region = face_region(crops.shape[1])
    light = luminance(crops[:, rows, columns]).astype(np.int64)
    right = np.arange(region.shape[1]) >= region.shape[1] // 2
    face = np.arange(len(crops))[:, None, None]
    bins = light + LEVELS * (right + 2 * face)
    counted = bins[shown[:, rows, columns] & region]
    return np.bincount(counted, minlength=2 * LEVELS * len(crops)).reshape(len(crops), 2, LEVELS)


def shares(counts: Integers) -> Floats:
    """(..., 256) histograms that sum to 1; NaN where nothing was counted."""
    with np.errstate(invalid="ignore"):
        answer: Floats = counts / counts.sum(axis=-1, keepdims=True)
        return answer


def mean(shares: Floats) -> Floats:
    """(N,) mean luminance, 0 to 1."""
    answer: Floats = (shares * (np.arange(LEVELS) / 255)).sum(axis=1)
    return answer


def variance(shares: Floats) -> Floats:
    """(N,) variance of luminance on a scale of 0 to 1, at most 0.25."""
    apart = np.arange(LEVELS) / 255 - mean(shares)[:, None]
    answer: Floats = (shares * apart * apart).sum(axis=1)
    return answer

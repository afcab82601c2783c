"""How the face is lit: exposure, contrast and evenness, all from histograms of linear luminance.

Source: ISO/IEC 29794-5:2025 as published in BSI OFIQ. Every histogram has 256 levels, one for each value of a byte.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from facesieve.quality import libm
from facesieve.quality.libm import sigmoid
from facesieve.quality.region import face_region
from facesieve.records import Floats, Integers, Mask, Pixels

WEIGHTS = (0.2126, 0.7152, 0.0722)  # of linear red, green and blue in luminance
LEVELS = 256
DARKEST, BRIGHTEST = slice(0, 26), slice(247, 256)  # levels that count as under-exposed and over-exposed


def light_measures(counts: Integers) -> dict[str, Floats]:
    """Every measure of light by name, each (N,) float64, from the `histograms` of N faces.

    NaN where a face has no pixel that is counted.
    """
    face = shares(counts.sum(axis=1))
    under, over = under_exposure(face), over_exposure(face)
    bits, common = entropy(face), uniformity(shares(counts))
    average, spread = mean(face), variance(face)
    return {
        "under_exposure_prevention_native": under,
        "under_exposure_prevention": under_exposure_score(under),
        "over_exposure_prevention_native": over,
        "over_exposure_prevention": over_exposure_score(over),
        "dynamic_range_native": bits,
        "dynamic_range": dynamic_range_score(bits),
        "illumination_uniformity_native": common,
        "illumination_uniformity": uniformity_score(common),
        "luminance_mean_native": average,
        "luminance_mean": mean_score(average),
        "luminance_variance_native": spread,
        "luminance_variance": variance_score(spread),
    }


@cache
def _tables() -> Floats:
    """(3, 256) what a red, green and blue byte each add to luminance on a scale of 255."""
    value = np.arange(LEVELS) / 255
    linear = np.where(value <= 0.04045, value / 12.92, libm.power((value + 0.055) / 1.055, 2.4))
    tables: Floats = 255 * np.array(WEIGHTS)[:, None] * linear
    tables.flags.writeable = False
    return tables


def luminance(crops: Pixels) -> Pixels:
    """(...) uint8 linear luminance of (..., 3) uint8 sRGB."""
    red, green, blue = _tables()
    light = red[crops[..., 0]] + green[crops[..., 1]] + blue[crops[..., 2]]
    answer: Pixels = np.floor(light + 0.5).astype(np.uint8)
    return answer


def histograms(crops: Pixels, shown: Mask) -> Integers:
    """(N, 2, 256) how many pixels have each luminance in the viewer's left and right half of the face region.

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
    """(..., 256) histograms that add up to 1; NaN where nothing is counted."""
    with np.errstate(invalid="ignore"):
        answer: Floats = counts / counts.sum(axis=-1, keepdims=True)
        return answer


def under_exposure(shares: Floats) -> Floats:
    """(N,) share of the face with luminance 25 or less, 0 to 1, from (N, 256) histogram shares."""
    answer: Floats = shares[:, DARKEST].sum(axis=1)
    return answer


def under_exposure_score(under: Floats) -> Floats:
    """(N,) UnderExposurePrevention, 0 to 100; 50 if nearly nine tenths of the face are dark."""
    return np.clip(120 * (0.832 - sigmoid(under, 0.92, 0.05)), 0, 100)


def over_exposure(shares: Floats) -> Floats:
    """(N,) share of the face with luminance 247 or more, 0 to 1, from (N, 256) histogram shares."""
    answer: Floats = shares[:, BRIGHTEST].sum(axis=1)
    return answer


def over_exposure_score(over: Floats) -> Floats:
    """(N,) OverExposurePrevention, 0 to 100; 50 when one hundredth of the face is over-exposed."""
    return np.clip(1 / (over + 0.01), 0, 100)


def entropy(shares: Floats) -> Floats:
    """(N,) bits, 0 to 8, of (N, 256) histogram shares."""
    logarithms = libm.log2(np.where(shares > 0, shares, 1))
    bits: Floats = -(shares * logarithms).sum(axis=1)
    return bits + 0.0


def dynamic_range_score(entropy: Floats) -> Floats:
    """(N,) DynamicRange, 0 to 100, from (N,) bits."""
    return np.clip(12.5 * entropy, 0, 100)


def uniformity(halves: Floats) -> Floats:
    """(N,) intersection, 0 to 1, of (N, 2, 256) histogram shares of the left and right half; NaN if one is empty.

    The standard compares two zones of 0.3 eye distances. In a 112 x 112 crop these have about 100 pixels, fewer than
    the histogram has levels, so the two halves of the face region are compared instead.
    """
    answer: Floats = np.minimum(halves[:, 0], halves[:, 1]).sum(axis=1)
    return answer


def uniformity_score(uniformity: Floats) -> Floats:
    """(N,) IlluminationUniformity, 0 to 100, from (N,) intersections."""
    return 100 * libm.power(uniformity, 0.3)


def mean(shares: Floats) -> Floats:
    """(N,) mean luminance, 0 to 1, from (N, 256) histogram shares."""
    answer: Floats = (shares * (np.arange(LEVELS) / 255)).sum(axis=1)
    return answer


def mean_score(mean: Floats) -> Floats:
    """(N,) LuminanceMean, 0 to 100, best between 0.35 and 0.65 of linear luminance."""
    return 100 * sigmoid(mean, 0.2, 0.05) * (1 - sigmoid(mean, 0.8, 0.05))


def variance(shares: Floats) -> Floats:
    """(N,) variance of luminance on a scale of 0 to 1, at most 0.25, from (N, 256) histogram shares."""
    deviation = np.arange(LEVELS) / 255 - mean(shares)[:, None]
    answer: Floats = (shares * deviation * deviation).sum(axis=1)
    return answer


def variance_score(variance: Floats) -> Floats:
    """(N,) LuminanceVariance, 0 to 100, best at a variance of 1/60."""
    return 100 * libm.sin(np.pi * 60 * variance / (60 * variance + 1))

"""Light on the face: luminance, its moments, exposure, range and evenness, after ISO/IEC 29794-5:2025, 7.3.

Formulas follow OFIQ, the reference implementation of the standard (BSI, 2024). OFIQ looks at the hull of 98
landmarks on a 616-pixel crop; we look at an ellipse on the 112-pixel crop that five landmarks define.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facesieve.records import Floats, Pixels

LEVELS = 256
REC_709 = (0.2126, 0.7152, 0.0722)

# Brows to chin and cheek to cheek of a 112 x 112 crop.
_Y, _X = np.mgrid[:112, :112]
FACE = ((_X - 56) / 34) ** 2 + ((_Y - 70) / 42) ** 2 <= 1

# Cheeks: squares of 0.3 inter-eye distances, half way between eyes and mouth, outside either eye.
LEFT_CHEEK = (slice(72, 83), slice(28, 39))
RIGHT_CHEEK = (slice(72, 83), slice(73, 84))
CHEEK_BINS = 32  # a cheek has 121 pixels: 256 bins would be nearly empty

Levels = npt.NDArray[np.intp]


def luminance(crops: Pixels) -> Levels:
    """Luminance Y of (N, 112, 112, 3) uint8 sRGB, linearised (IEC 61966-2-1), in 256 levels: (N, 112, 112)."""
    encoded = np.arange(LEVELS) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    weighted: list[Floats] = [(255 * weight * linear)[crops[..., channel]] for channel, weight in enumerate(REC_709)]
    return np.rint(np.sum(weighted, axis=0)).astype(np.intp)


def histograms(levels: Levels) -> Floats:
    """Shares of the 256 levels in each row of (N, K) luminance levels: (N, 256), each row sums to 1."""
    n, k = levels.shape
    counts = np.bincount((levels + LEVELS * np.arange(n)[:, np.newaxis]).ravel(), minlength=n * LEVELS)
    return counts.reshape(n, LEVELS) / max(k, 1)


def moments(shares: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of luminance in 0..1: (N,), (N,)."""
    at = np.arange(LEVELS) / 255
    mean = (shares * at).sum(axis=1)
    return mean, (shares * (at - mean[:, np.newaxis]) ** 2).sum(axis=1)


def luminance_mean(mean: Floats) -> Floats:
    """LuminanceMean, 0 to 100: high in the middle, falling towards black and towards white."""
    return 100 * _sigmoid(mean, 0.2, 0.05) * (1 - _sigmoid(mean, 0.8, 0.05))


def luminance_variance(variance: Floats) -> Floats:
    """LuminanceVariance, 0 to 100: highest at a variance of 1/60, lower for flat and for harsh light."""
    return 100 * np.sin(np.pi * 60 * variance / (60 * variance + 1))


def dark_share(shares: Floats) -> Floats:
    """The share of the face whose luminance is at most 25 of 255: (N,)."""
    return np.asarray(shares[:, :26].sum(axis=1))


def under_exposure_prevention(dark: Floats) -> Floats:
    """UnderExposurePrevention, 0 to 100, from the dark share; it falls when some 85 % are dark."""
    return np.asarray(np.clip(120 * (1 - _sigmoid(dark, 0.92, 0.05)), 0, 100))


def bright_share(shares: Floats) -> Floats:
    """The share of the face whose luminance is at least 247 of 255: (N,)."""
    return np.asarray(shares[:, 247:].sum(axis=1))


def over_exposure_prevention(bright: Floats) -> Floats:
    """OverExposurePrevention, 0 to 100, from the bright share: 1 % of burnt-out face halves it."""
    return np.asarray(np.clip(1 / (bright + 0.01), 0, 100))


def entropy(shares: Floats) -> Floats:
    """Shannon entropy of the luminance levels, in bits, 0 to 8: (N,)."""
    logarithms = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    return -(shares * logarithms).sum(axis=1) + 0.0


def dynamic_range(bits: Floats) -> Floats:
    """DynamicRange, 0 to 100, from the entropy in bits."""
    return np.asarray(np.clip(12.5 * bits, 0, 100))


def cheek_overlap(levels: Levels) -> Floats:
    """How far the luminance histograms of both cheeks intersect, 0 to 1: (N,). levels: (N, 112, 112)."""
    n = len(levels)
    left, right = (
        histograms(levels[:, rows, columns].reshape(n, -1)).reshape(n, CHEEK_BINS, -1).sum(axis=2)
        for rows, columns in (LEFT_CHEEK, RIGHT_CHEEK)
    )
    return np.asarray(np.minimum(left, right).sum(axis=1))


def illumination_uniformity(overlap: Floats) -> Floats:
    """IlluminationUniformity, 0 to 100, from the overlap of the cheeks."""
    return 100 * overlap**0.3


def _sigmoid(x: Floats, centre: float, width: float) -> Floats:
    return 1 / (1 + np.exp((centre - x) / width))

"""How much of the scale the face uses. Source: ISO/IEC 29794-5:2025, BSI OFIQ."""

from __future__ import annotations

import numpy as np

from facesieve.quality import libm
from facesieve.quality.score import sigmoid
from facesieve.records import Floats


def entropy(shares: Floats) -> Floats:
    """(N,) bits, 0 to 8, of (N, 256) histogram shares."""
    logarithms = libm.log2(np.where(shares > 0, shares, 1))
    bits: Floats = -(shares * logarithms).sum(axis=1)
    return bits + 0.0


def dynamic_range(entropy: Floats) -> Floats:
    """(N,) 0 to 100, from bits."""
    return np.clip(12.5 * entropy, 0, 100)


def luminance_mean_score(mean: Floats) -> Floats:
    """(N,) 0 to 100, best between 0.35 and 0.65 of linear luminance."""
    return 100 * sigmoid(mean, 0.2, 0.05) * (1 - sigmoid(mean, 0.8, 0.05))


def luminance_variance_score(variance: Floats) -> Floats:
    """(N,) 0 to 100, best at a variance of 1/60."""
    return 100 * libm.sin(np.pi * 60 * variance / (60 * variance + 1))

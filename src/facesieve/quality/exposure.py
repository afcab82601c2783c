"""Too dark, too bright: shares of the face at the ends of the scale. Source: ISO/IEC 29794-5:2025, BSI OFIQ."""

from __future__ import annotations

import numpy as np

from facesieve.quality.score import sigmoid
from facesieve.records import Floats

DARKEST = slice(0, 26)
BRIGHTEST = slice(247, 256)


def under_exposure(shares: Floats) -> Floats:
    """(N,) share of the face with luminance 25 or less, from (N, 256) histogram shares."""
    answer: Floats = shares[:, DARKEST].sum(axis=1)
    return answer


def over_exposure(shares: Floats) -> Floats:
    """(N,) share of the face with luminance 247 or more, from (N, 256) histogram shares."""
    answer: Floats = shares[:, BRIGHTEST].sum(axis=1)
    return answer


def under_exposure_prevention(under: Floats) -> Floats:
    """(N,) 0 to 100; 50 when nearly nine tenths of the face are dark."""
    return np.clip(120 * (0.832 - sigmoid(under, 0.92, 0.05)), 0, 100)


def over_exposure_prevention(over: Floats) -> Floats:
    """(N,) 0 to 100; 50 when one hundredth of the face is burnt out."""
    return np.clip(1 / (over + 0.01), 0, 100)

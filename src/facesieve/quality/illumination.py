"""Is the face lit alike on both sides? Source: ISO/IEC 29794-5:2025 IlluminationUniformity, BSI OFIQ."""

from __future__ import annotations

import numpy as np

from facesieve.quality import libm
from facesieve.records import Floats


def uniformity(halves: Floats) -> Floats:
    """(N,) intersection, 0 to 1, of (N, 2, 256) histogram shares of the left and right half; NaN if one is empty.

    The standard compares two zones of 0.3 eye distances; in a 112 crop these hold about 100 pixels, fewer than the
    histogram has bins, so the halves of the face region stand for them.
    """
    answer: Floats = np.minimum(halves[:, 0], halves[:, 1]).sum(axis=1)
    return answer


def illumination_uniformity(uniformity: Floats) -> Floats:
    """(N,) 0 to 100."""
    return 100 * libm.power(uniformity, 0.3)

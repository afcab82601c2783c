"""Sharpness that an enlarged face cannot feign: how much of the finest detail a crop can hold is really there."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np

from facesieve.records import Floats, Pixels

# The inner face, away from hair and background, of a 112 x 112 crop.
WINDOW = (slice(28, 108), slice(18, 94))

# Measured on faces of AFLW2000-3D shrunk to fill the crop exactly, and 2, 3 and 4 times too small: the median
# ratio is 0.168, 0.087, 0.059, 0.046, near enough FULL / enlargement.
FULL = 0.17
ENLARGED_TO_NOTHING = 4.0


def sharpness_native(crops: Pixels) -> Floats:
    """Energy of the finest octave of detail over that of the next two: (N,), higher is sharper, 0 if featureless.

    crops: (N, 112, 112, 3) uint8 RGB. Octaves are differences of Gaussians (sigma 0.8, 1.6, 3.2 pixels; Burt and
    Adelson, 1983). Pictures have about equal energy in every octave (Field, 1987), so the ratio falls with blur and
    with enlargement, whoever enlarged the picture, and does not depend on contrast. Noise counts as detail.
    """
    return np.array([_ratio(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)) for crop in crops])


def sharpness(native: Floats) -> Floats:
    """0 to 100 from the native ratio: 100 where the crop is as sharp as its 112 pixels allow, 50 where it holds the
    detail of a face half that size, 0 at a quarter. ISO/IEC 29794-5 Sharpness in kind, not its random forest."""
    with np.errstate(divide="ignore"):
        missing = np.log(FULL / native) / np.log(ENLARGED_TO_NOTHING)
    score: Floats = np.clip(100 * (1 - missing), 0, 100)
    return score


def _ratio(grey: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> float:
    layers = [grey, *(cv2.GaussianBlur(grey, (0, 0), sigma) for sigma in (0.8, 1.6, 3.2))]
    fine, middle, coarse = (
        float(np.square(upper[WINDOW] - lower[WINDOW]).mean(dtype=np.float64)) for upper, lower in pairwise(layers)
    )
    return fine / (middle + coarse) if middle + coarse > 0 else 0.0

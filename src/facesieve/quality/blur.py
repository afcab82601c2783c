"""Blur as the reference measures it: the variance of the Laplacian of the aligned crop."""

from __future__ import annotations

import cv2
import numpy as np

from facesieve.records import Floats, Pixels


def blur(crops: Pixels) -> Floats:
    """Variance of the 3 x 3 Laplacian of each grey crop: (N,), higher is sharper.

    crops: (N, 112, 112, 3) uint8 RGB. Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy" (2000).
    It grows with contrast and with the size of the face in the photo; `sharpness` does not.
    """
    grey = (cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) for crop in crops)
    return np.array([cv2.Laplacian(crop, cv2.CV_64F).var() for crop in grey])

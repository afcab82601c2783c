"""How large the face is in its picture, and how much of the crop the picture fills."""

from __future__ import annotations

import numpy as np

from facesieve.quality import libm
from facesieve.quality.region import inverse, square
from facesieve.quality.score import sigmoid
from facesieve.records import Floats, Mask


def inter_eye_distance(landmarks: Floats) -> Floats:
    """(N,) pixels between the two eyes, from (N, 5, 2) landmarks, as seen in the picture."""
    apart = landmarks[:, 1] - landmarks[:, 0]
    return np.hypot(apart[:, 0], apart[:, 1])


def inter_eye_distance_score(distance: Floats, yaw: Floats) -> Floats:
    """(N,) 0 to 100: 50 at 70 pixels after straightening for yaw in degrees; NaN where yaw is NaN.

    Source: ISO/IEC 29794-5:2025 InterEyeDistance, parameters of BSI OFIQ. A profile (90 degrees or more) is
    taken as 89 degrees, where straightening stops to mean anything.
    """
    straight = distance / libm.cos(np.radians(np.minimum(np.abs(yaw), 89.0)))
    return 100 * sigmoid(straight, 70, 20)


def face_size(boxes: Floats) -> Floats:
    """(N,) pixels: the shorter side of each x, y, w, h box."""
    return np.minimum(boxes[:, 2], boxes[:, 3])


def outside(shown: Mask) -> Floats:
    """(N,) share of the crop's pixels that show nothing of the picture, 0 to 1, from (N, S, S) `inside`."""
    share: Floats = 1 - np.count_nonzero(shown, axis=(1, 2)) / (shown.shape[1] * shown.shape[2])
    return share


def upsampling(matrices: Floats, side: int) -> Floats:
    """(N,) crop pixels per photo pixel along one axis at the middle of the crop; above 1 means enlarged.

    The square root of the transform's Jacobian: exact for a similarity, the geometric mean of the two axes else.
    """
    forward = square(matrices)
    middle = (side - 1) / 2
    point = inverse(matrices) @ np.array([middle, middle, 1.0])
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = (forward[:, 2] * point).sum(axis=1) / point[:, 2]
        determinant = (forward[:, 0] * np.cross(forward[:, 1], forward[:, 2])).sum(axis=1)
        factor: Floats = np.sqrt(np.abs(determinant / depth**3))
    return factor

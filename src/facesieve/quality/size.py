"""How many pixels a face has in the picture, and how much of the crop lies outside the picture."""

from __future__ import annotations

import numpy as np

from facesieve.quality import libm
from facesieve.quality.region import inverse, square
from facesieve.records import Floats, Mask


def inter_eye_distance(landmarks: Floats) -> Floats:
    """(N,) distance between the two eyes in pixels of the picture, from (N, 5, 2) landmarks."""
    across = landmarks[:, 1] - landmarks[:, 0]
    return np.hypot(across[:, 0], across[:, 1])


def inter_eye_distance_score(distance: Floats, yaw: Floats) -> Floats:
    """(N,) 0 to 100; 50 at 70 pixels, after the distance is corrected for yaw; NaN where yaw is NaN.

    distance: (N,) pixels. yaw: (N,) degrees. The corrected distance is distance / cos(yaw); an angle above 89 degrees
    counts as 89, because the correction grows without limit.
    Source: ISO/IEC 29794-5:2025 InterEyeDistance, parameters of BSI OFIQ.
    """
    corrected = distance / libm.cos(np.radians(np.minimum(np.abs(yaw), 89.0)))
    return 100 * libm.sigmoid(corrected, 70, 20)


def face_size(boxes: Floats) -> Floats:
    """(N,) the shorter side in pixels of each box of (N, 4) x, y, w, h."""
    return np.minimum(boxes[:, 2], boxes[:, 3])


def prominence(boxes: Floats, sizes: Floats) -> Floats:
    """(N,) how large and central a face is in its picture, 0 to 1.

    It is the square root of the share of the picture that the box covers, times 1 - d / 2. Here d is the
    distance of the box's centre from the middle of the picture, as a share of half the diagonal, at most 1.
    boxes: (N, 4) x, y, w, h in pixels. sizes: (N, 2) width and height of each face's picture.
    """
    away = boxes[:, :2] + boxes[:, 2:] / 2 - sizes / 2
    distance = np.minimum(2 * np.sqrt((away * away).sum(axis=1) / (sizes * sizes).sum(axis=1)), 1)
    covered = np.clip(boxes[:, 2] * boxes[:, 3] / (sizes[:, 0] * sizes[:, 1]), 0, 1)
    return np.asarray(np.sqrt(covered) * (1 - distance / 2), np.float64)


def outside(shown: Mask) -> Floats:
    """(N,) share of the crop's pixels that lie outside the picture, 0 to 1. shown: (N, S, S), from `region.inside`."""
    share: Floats = 1 - np.count_nonzero(shown, axis=(1, 2)) / (shown.shape[1] * shown.shape[2])
    return share


def upsampling(matrices: Floats, side: int) -> Floats:
    """(N,) crop pixels for one photo pixel along one axis, in the middle of the crop; above 1 the face is enlarged.

    matrices: (N, 2, 3) or (N, 3, 3), photo to crop. side: of the crop in pixels.
    It is the square root of the transform's Jacobian. That is exact for a similarity; for other transforms it is the
    geometric mean of both axes.
    """
    forward = square(matrices)
    middle = (side - 1) / 2
    point = inverse(matrices) @ np.array([middle, middle, 1.0])
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = (forward[:, 2] * point).sum(axis=1) / point[:, 2]
        determinant = (forward[:, 0] * np.cross(forward[:, 1], forward[:, 2])).sum(axis=1)
        factor: Floats = np.sqrt(np.abs(determinant / depth**3))
    return factor

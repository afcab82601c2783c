"""How many pixels the face really has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facesieve.records import Faces, Floats, Photo

GRID = 28  # points a side that stand for the pixels of a crop


def inter_eye_distance(faces: Faces) -> Floats:
    """InterEyeDistance of ISO/IEC 29794-5: pixels of the photo between the eyes, not corrected for yaw: (N,)."""
    return np.asarray(np.linalg.norm(faces.landmarks[:, 1] - faces.landmarks[:, 0], axis=1))


def face_size(faces: Faces) -> Floats:
    """The shorter side of the box, in pixels of the photo: (N,)."""
    return np.asarray(faces.boxes[:, 2:].min(axis=1))


def upsampling(matrices: Floats) -> Floats:
    """Crop pixels to one photo pixel along an axis: (N,); above 1 the face was enlarged to fill the crop.

    matrices: (N, 2, 3) similarities, photo to crop.
    """
    return np.hypot(matrices[:, 0, 0], matrices[:, 0, 1])


def outside(photos: Sequence[Photo], faces: Faces, matrices: Floats, size: int) -> Floats:
    """The share, 0 to 1, of a `size` x `size` crop that lies outside its photo: (N,), from a grid of 28 x 28 points.

    matrices: (N, 2, 3) similarities, photo to crop. A crop of no scale lies outside altogether.
    """
    at = (np.arange(GRID) + 0.5) * size / GRID - 0.5
    x, y = np.meshgrid(at, at)
    moved = np.stack([x.ravel(), y.ravel()])[np.newaxis] - matrices[:, :, 2:]
    a, b = matrices[:, 0, :1], matrices[:, 0, 1:2]
    with np.errstate(divide="ignore", invalid="ignore"):
        x, y = (np.stack([a * moved[:, 0] - b * moved[:, 1], b * moved[:, 0] + a * moved[:, 1]])) / (a**2 + b**2)
    sides = np.array([(photos[photo].width, photos[photo].height) for photo in faces.photo]).reshape(-1, 2)
    inside = (x >= -0.5) & (x < sides[:, :1] - 0.5) & (y >= -0.5) & (y < sides[:, 1:] - 0.5)
    return np.asarray(1 - inside.mean(axis=1))

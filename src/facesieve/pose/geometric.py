"""Head pose from the five points alone: no weights, hardly any time, coarser than a network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facesieve.pose.angles import from_rotations, to_reference
from facesieve.records import Faces, Floats, Photo

# Where a face has MTCNN's five points, in distances between the eyes (x to the picture's right, y up, z to the viewer).
# Fitted, left and right alike, to what MTCNN finds on AFLW2000-3D: its points are not anatomical ones.
EYES, NOSE, MOUTH = (0.50, 0.40, -0.12), (0.0, 0.01, 0.44), (0.53, -0.41, -0.10)
MIRROR = np.array([-1.0, 1.0, 1.0])
MODEL = np.array([EYES * MIRROR, EYES, NOSE, MOUTH * MIRROR, MOUTH])


def geometric(_photos: Sequence[Photo], faces: Faces) -> Floats:
    """Pitch, yaw, roll (N, 3) in degrees, with the reference's signs; the pictures are not looked at.

    Under scaled orthographic projection (a face is flat compared with its distance, so no focal length is guessed) the
    points are a linear image of the model: solve for the 2 x 3 map, take the nearest rotation, for all faces at once.
    Source: DeMenthon and Davis, 1995, "Model-based object pose in 25 lines of code", its first step.
    """
    points = (faces.landmarks - faces.landmarks.mean(axis=1, keepdims=True)) * (1, -1)
    model = MODEL - MODEL.mean(axis=0)
    maps = points.transpose(0, 2, 1) @ np.linalg.pinv(model).T
    left, _, right = np.linalg.svd(maps, full_matrices=False)
    rows = left @ right
    return to_reference(from_rotations(np.concatenate([rows, np.cross(rows[:, :1], rows[:, 1:])], axis=1)))

"""Head pose from the five landmarks alone, without a network: fast, but less exact."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facesieve.pose.angles import from_rotations, to_reference
from facesieve.records import Faces, Floats, Photo

# The positions of MTCNN's five landmarks on a face, in inter-eye distances: x to the picture's right, y up, z to the
# viewer. MTCNN's landmarks are not anatomical points, so these were fitted to its landmarks in AFLW2000-3D, with a
# symmetric face.
EYES, NOSE, MOUTH = (0.50, 0.40, -0.12), (0.0, 0.01, 0.44), (0.53, -0.41, -0.10)
MIRROR = np.array([-1.0, 1.0, 1.0])
MODEL = np.array([EYES * MIRROR, EYES, NOSE, MOUTH * MIRROR, MOUTH])


def geometric(_photos: Sequence[Photo], faces: Faces) -> Floats:
    """Pitch, yaw, roll (N, 3) float64 in degrees of N faces, with the reference's signs (see `angles`).

    The pictures are not used. The projection is assumed to be weak perspective (scaled orthographic), because a face
    is shallow compared with its distance; so no focal length is needed. Then the landmarks are a linear map of the
    model. The 2 x 3 map is solved by least squares, and the nearest rotation is taken.
    Source: DeMenthon and Davis, 1995, "Model-based object pose in 25 lines of code", the first step.
    """
    points = (faces.landmarks - faces.landmarks.mean(axis=1, keepdims=True)) * (1, -1)
    model = MODEL - MODEL.mean(axis=0)
    maps = points.transpose(0, 2, 1) @ np.linalg.pinv(model).T
    left, _, right = np.linalg.svd(maps, full_matrices=False)
    rows = left @ right
    return to_reference(from_rotations(np.concatenate([rows, np.cross(rows[:, :1], rows[:, 1:])], axis=1)))

"""Faces seen from other sides, made from the training faces with a simple model of a head's depth.

The idea is that of 300W-LP (Zhu et al., 2016, https://arxiv.org/abs/1511.07212) without its fitted meshes: every head
has the same surface, a rounded block with a nose. The face's landmarks and pose place it in the picture; it is turned,
and every pixel of the new picture looks up where its point of the surface was. What was hidden is smeared, so turns are
small, and only faces are turned about which the teachers agree.
"""

from __future__ import annotations

import cv2
import numpy as np
from data import CROP, FaceSet
from rotations import to_rotations

from facesieve.pose.geometric import MODEL

MOST_TURN = np.array([26.0, 26.0, 0.0])  # pitch, yaw, roll in degrees
LIMITS = np.array([50.0, 80.0, 60.0])
STEEP = 30.0  # degrees of pitch from which on all turned faces are taken; fewer of the others
AGREED, SMALLEST = 5.0, 20.0  # degrees of the teachers' spread; pixels between the eyes in the crop
GRID = 40  # points across for which the surface is searched; the others lie between
CENTRE, AXES = np.array([0.0, 0.55, -1.3]), np.array([1.2, 1.85, 1.38])  # of the head, in inter-eye distances
DEPTHS = np.linspace(1.2, -2.6, 24, dtype=np.float32)  # searched from the viewer on


def surface(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """How far the head reaches to the viewer at (x, y) of its own frame; beyond the head a plane behind its ears."""
    across, along = (x - CENTRE[0]) / AXES[0], (y - CENTRE[1]) / AXES[1]
    front = np.sqrt(np.maximum(1 - across**2 - along**4, 0)) * AXES[2]
    nose = 0.42 * np.exp(-((x / 0.2) ** 2) - ((y + 0.03) / np.where(y > -0.03, 0.42, 0.16)) ** 2)
    return CENTRE[2] + front + nose * (front > 0)


def placed(points: np.ndarray, rotation: np.ndarray) -> tuple[float, np.ndarray]:
    """Pixels of one inter-eye distance, and where the model's origin is in the crop, by least squares."""
    model = (MODEL @ rotation.T)[:, :2] * (1, -1)
    centred, at = model - model.mean(axis=0), points.mean(axis=0)
    scale = float((centred * (points - at)).sum() / (centred**2).sum())
    return scale, at - scale * model.mean(axis=0)


def seen(crop: np.ndarray, before: np.ndarray, after: np.ndarray, scale: float, origin: np.ndarray) -> np.ndarray:
    """The crop with the head turned from one rotation to another about the middle between its ears."""
    pivot = CENTRE * (1, 0, 1)
    moved = (before @ pivot - after @ pivot)[:2] * (1, -1) * scale
    pixel = (np.arange(GRID, dtype=np.float32) + 0.5) * CROP / GRID - 0.5
    u, v = np.meshgrid((pixel - origin[0] - moved[0]) / scale, (origin[1] + moved[1] - pixel) / scale)
    shifted = DEPTHS[:, None, None]
    # The pivot keeps its depth too, so search around it.
    offset = np.float32((after @ pivot)[2] + 1.3)
    back = after.T.astype(np.float32)
    x, y, z = (back[i, 0] * u + back[i, 1] * v + back[i, 2] * (shifted + offset) for i in range(3))
    above = z - surface(x, y)
    first = np.maximum((above <= 0).argmax(axis=0), 1)
    rows, columns = np.indices(first.shape)
    nearer, farther = above[first - 1, rows, columns], above[first, rows, columns]
    part = np.clip(nearer / np.maximum(nearer - farther, 1e-6), 0, 1)
    depth = DEPTHS[first - 1] + part * (DEPTHS[first] - DEPTHS[first - 1]) + offset
    points = np.stack([u, v, depth], axis=-1) @ (before @ after.T).T
    map_x = (origin[0] + scale * points[..., 0]).astype(np.float32)
    map_y = (origin[1] - scale * points[..., 1]).astype(np.float32)
    large = [cv2.resize(one, (CROP, CROP), interpolation=cv2.INTER_LINEAR) for one in (map_x, map_y)]
    return cv2.remap(crop, *large, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def boxes_by_pose(faces: FaceSet) -> np.ndarray:
    """A linear map from terms of the pose to the box's centre and longer side, in inter-eye distances."""
    sides, rotations = [], to_rotations(faces.degrees)
    for box, points, rotation in zip(faces.boxes, faces.points, rotations, strict=True):
        scale, origin = placed(points, rotation)
        sides.append([*((box[:2] + box[2:] / 2 - origin) / scale), max(box[2:]) / scale])
    return np.linalg.lstsq(_terms(faces.degrees), np.array(sides), rcond=None)[0]


def _terms(degrees: np.ndarray) -> np.ndarray:
    pitch, yaw, roll = np.sin(np.radians(degrees)).T
    one = np.ones_like(pitch)
    return np.stack([one, pitch, yaw, roll, pitch**2, yaw**2, roll**2, pitch * yaw, pitch * roll, yaw * roll], axis=1)


def turned_faces(faces: FaceSet, count: int, random: np.random.Generator) -> FaceSet:
    """At most `count` turned faces, most of them looking up or down."""
    eyes = np.linalg.norm(faces.points[:, 1] - faces.points[:, 0], axis=1)
    good = (faces.spread.max(axis=1) < AGREED) & (eyes > SMALLEST) & (abs(faces.degrees[:, 1]) < 50)
    good &= (abs(faces.degrees[:, 0]) < 25) & (abs(faces.degrees[:, 2]) < 40)
    faces = faces.take(np.flatnonzero(good))
    shape = boxes_by_pose(faces)
    rows = random.integers(0, len(faces), 5 * count)
    goals = faces.degrees[rows] + random.uniform(-1, 1, (len(rows), 3)) * MOST_TURN
    wanted = (abs(goals) <= LIMITS).all(axis=1) & (abs(goals[:, 0]) > random.uniform(0, STEEP, len(rows)))
    rows, goals = rows[wanted][:count], goals[wanted][:count].astype(np.float32)
    drawn = faces.take(rows)
    crops, boxes, points = [], [], []
    expected = _terms(goals) @ shape - _terms(drawn.degrees) @ shape
    for at, (before, after) in enumerate(zip(to_rotations(drawn.degrees), to_rotations(goals), strict=True)):
        scale, origin = placed(drawn.points[at], before)
        crops.append(seen(drawn.crops[at], before, after, scale, origin))
        pivot = CENTRE * (1, 0, 1)
        there = origin + (before @ pivot - after @ pivot)[:2] * (1, -1) * scale
        box = drawn.boxes[at]
        was = (box[:2] + box[2:] / 2 - origin) / scale
        centre = there + (was + expected[at, :2]) * scale
        size = np.array([0.8, 1.0]) * (max(box[2:]) + expected[at, 2] * scale)
        boxes.append([*(centre - size / 2), *size])
        points.append(there + scale * (MODEL @ after.T)[:, :2] * (1, -1))
    return FaceSet(np.stack(crops), np.array(boxes, np.float32), np.array(points, np.float32), goals, drawn.spread + 1)

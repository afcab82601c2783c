"""Random changes of the training faces: where the crop is cut, and what a bad camera or a bad file does to it."""

from __future__ import annotations

import cv2
import numpy as np
from data import FaceSet
from rotations import MIRRORED, turned

SIDE = 64  # pixels of a network's crop
MARGIN, MARGIN_SD, SHIFT, TURN_SD = 0.1, 0.035, 0.03, 14.0  # shares of the box's longer side; degrees


def batch(faces: FaceSet, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Changed crops (N, 64, 64, 3) uint8 RGB of N faces, and their angles (N, 3)."""
    count = len(faces)
    mirrored = random.random(count) < 0.5
    # Near profile, turning the picture changes pitch and roll by a multiple of the turn.
    upright = np.maximum(np.cos(np.radians(faces.degrees[:, 1])), 0.35)
    clockwise = np.clip(random.normal(0, TURN_SD, count), -40, 40) * upright
    degrees = np.where(mirrored[:, None], faces.degrees * MIRRORED, faces.degrees)
    rows = zip(faces.crops, faces.boxes, mirrored, clockwise, strict=True)
    crops = np.stack([_changed(_cut(*row, random), random) for row in rows])
    return crops, turned(degrees, clockwise).astype(np.float32)


def plain(faces: FaceSet) -> np.ndarray:
    """The crops (N, 64, 64, 3) as FaceSieve cuts them."""
    return np.stack([_square(crop, box, MARGIN) for crop, box in zip(faces.crops, faces.boxes, strict=True)])


def _square(crop: np.ndarray, box: np.ndarray, margin: float) -> np.ndarray:
    x, y, w, h = box
    side = max(w, h) * (1 + 2 * margin)
    matrix = cv2.getRotationMatrix2D((0, 0), 0, 1)
    matrix *= SIDE / side
    matrix[:, 2] = SIDE / 2 - 0.5 - SIDE / side * (np.array([x + w / 2, y + h / 2]) - 0.5)
    return cv2.warpAffine(crop, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def _cut(
    crop: np.ndarray, box: np.ndarray, mirrored: bool, clockwise: float, random: np.random.Generator
) -> np.ndarray:
    """The square around a face, moved, mirrored and turned at once."""
    x, y, w, h = box
    longer = max(w, h)
    scale = SIDE / (longer * (1 + 2 * random.normal(MARGIN, MARGIN_SD)))
    centre = np.array([x + w / 2, y + h / 2]) - 0.5 + random.uniform(-SHIFT, SHIFT, 2) * longer
    cos, sin = scale * np.cos(np.radians(clockwise)), scale * np.sin(np.radians(clockwise))
    matrix = np.array([[cos, -sin], [sin, cos]])  # y points down, so this turns clockwise
    if mirrored:
        matrix = matrix @ np.diag([-1.0, 1.0])
    offset = (SIDE - 1) / 2 - matrix @ centre
    border = cv2.BORDER_REPLICATE if random.random() < 0.7 else cv2.BORDER_CONSTANT
    whole = np.column_stack([matrix, offset])
    return cv2.warpAffine(crop, whole, (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=border)


def _changed(crop: np.ndarray, random: np.random.Generator) -> np.ndarray:
    chance = random.random(8)
    if chance[0] < 0.1:
        crop = _blurred(crop, random)
    if chance[1] < 0.35:
        crop = _shrunk(crop, random)
    values = _lit(crop.astype(np.float32), random) if chance[2] < 0.8 else crop.astype(np.float32)
    if chance[3] < 0.05:
        values[...] = values.mean(axis=2, keepdims=True)
    if chance[4] < 0.15:
        values += random.normal(0, random.uniform(2, 12), values.shape).astype(np.float32)
    if chance[5] < 0.15:
        _cover(values, random)
    crop = np.clip(values, 0, 255).astype(np.uint8)
    return _compressed(crop, random) if chance[6] < 0.2 else crop


def _shrunk(crop: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """As a face of fewer pixels looks after the crop was enlarged."""
    side = int(random.integers(16, 61))
    return cv2.resize(cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA), (SIDE, SIDE))


def _blurred(crop: np.ndarray, random: np.random.Generator) -> np.ndarray:
    if random.random() < 0.5:
        return cv2.GaussianBlur(crop, (0, 0), random.uniform(0.5, 2.0))
    length, angle = int(random.integers(3, 8)), random.uniform(0, np.pi)
    kernel = np.zeros((7, 7), np.float32)
    for step in np.linspace(-length / 2, length / 2, 4 * length):
        kernel[round(3 + step * np.sin(angle) * 6 / 8), round(3 + step * np.cos(angle) * 6 / 8)] += 1
    return cv2.filter2D(crop, -1, kernel / kernel.sum())


def _lit(values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Other contrast, brightness, gamma and colour of the light, and sometimes light from one side."""
    values = 255 * np.power(values / 255, np.float32(np.exp(random.normal(0, 0.25))))
    mean = values.mean()
    gain = np.exp(random.normal(0, 0.2)) * np.exp(random.normal(0, 0.06, 3))
    values = (values - mean) * gain.astype(np.float32) + np.float32(mean + random.normal(0, 20))
    if random.random() < 0.2:
        ramp = np.linspace(1 - random.uniform(0, 0.5), 1, SIDE, dtype=np.float32)
        ramp = ramp[::-1] if random.random() < 0.5 else ramp
        values *= ramp[None, :, None] if random.random() < 0.7 else ramp[:, None, None]
    return values.astype(np.float32)


def _cover(values: np.ndarray, random: np.random.Generator) -> None:
    w, h = random.integers(6, 28, 2)
    x, y = random.integers(-4, SIDE - 4, 2)
    values[max(y, 0) : y + h, max(x, 0) : x + w] = random.uniform(0, 255, 3 if random.random() < 0.7 else (1,))


def _compressed(crop: np.ndarray, random: np.random.Generator) -> np.ndarray:
    _, file = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(25, 90))])
    return cv2.imdecode(file, cv2.IMREAD_COLOR)

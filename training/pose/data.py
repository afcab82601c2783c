"""The training faces as arrays: crops, boxes, landmarks, the teachers' answers and how far the teachers disagree."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq

ANGLES = ("pitch", "yaw", "roll")
POINTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
CROP = 112  # pixels


@dataclass(frozen=True)
class FaceSet:
    """N faces.

    crops: (N, 112, 112, 3) uint8 RGB. boxes: (N, 4) x, y, w, h, and points: (N, 5, 2), both in pixels of the crop.
    degrees: (N, 3) pitch, yaw, roll with FaceSieve's signs. spread: (N, 3) standard deviation of the teachers' answers.
    """

    crops: np.ndarray
    boxes: np.ndarray
    points: np.ndarray
    degrees: np.ndarray
    spread: np.ndarray

    def __len__(self) -> int:
        return len(self.crops)

    def take(self, rows: np.ndarray) -> FaceSet:
        return FaceSet(*(getattr(self, one.name)[rows] for one in fields(self)))

    @staticmethod
    def join(parts: list[FaceSet]) -> FaceSet:
        return FaceSet(*(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(FaceSet)))


def read(folder: Path, files: tuple[int, ...] = (0, 1, 2)) -> FaceSet:
    """All faces of some of the files `faces-0.parquet` to `faces-2.parquet`. A photo's faces are all in one file."""
    table = pq.ParquetDataset([folder / f"faces-{number}.parquet" for number in files]).read()

    def columns(*names: str) -> np.ndarray:
        return np.stack([table[name].to_numpy().astype(np.float32) for name in names], axis=1)

    crops = np.stack([_decoded(jpeg.as_py()) for jpeg in table["jpeg"]])
    points = columns(*(f"{point}_{axis}" for point in POINTS for axis in "xy")).reshape(-1, 5, 2)
    degrees = columns(*(f"label_{angle}" for angle in ANGLES))
    spread = columns(*(f"sd_{angle}" for angle in ANGLES))
    return FaceSet(crops, columns("box_x", "box_y", "box_w", "box_h"), points, degrees, spread)


def _decoded(jpeg: bytes) -> np.ndarray:
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)

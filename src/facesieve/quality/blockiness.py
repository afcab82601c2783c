"""Blockiness: how clearly a face shows the grid of 8 x 8 blocks that strong JPEG compression leaves."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from facesieve.records import Faces, Floats, Mask, Photo, Pixels

BLOCK = 8


def blockiness(photos: Sequence[Photo], faces: Faces) -> Floats:
    """(N,) mean step between pixels across the borders of JPEG's blocks, divided by the mean step elsewhere in the box.

    photos: a batch. faces: N faces in it. The ratio is about 1 without a grid, and grows with the compression. It is
    NaN for a box that shows 8 pixels or fewer along one side. Only the grid of the photo's own file is seen, because
    blocks are counted from its corner; a photo that was resized or cropped after the compression hides the grid. After
    Wang, Sheikh and Bovik, "No-reference perceptual quality assessment of JPEG compressed images" (ICIP 2002).
    """
    low = np.maximum(np.floor(faces.boxes[:, :2]), 0).astype(int)
    high = np.ceil(faces.boxes[:, :2] + faces.boxes[:, 2:]).astype(int)
    return np.array(
        [
            _steps(photos[photo].pixels[y1:y2, x1:x2], x1, y1)
            for photo, (x1, y1), (x2, y2) in zip(faces.photo, low.tolist(), np.maximum(high, 0).tolist(), strict=True)
        ]
    )


def _steps(patch: Pixels, x: int, y: int) -> float:
    if min(patch.shape[:2]) <= BLOCK:
        return float("nan")
    grey = cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY)
    across = cv2.absdiff(grey[:, 1:], grey[:, :-1]).mean(axis=0)
    down = cv2.absdiff(grey[1:], grey[:-1]).mean(axis=1)
    on_grid = np.concatenate([_borders(len(across), x), _borders(len(down), y)])
    steps = np.concatenate([across, down])
    elsewhere = steps[~on_grid].mean()
    return float(steps[on_grid].mean() / elsewhere) if elsewhere > 0 else 1.0


def _borders(steps: int, start: int) -> Mask:
    """(steps,) boolean: whether each step between neighbouring pixels crosses the border of a block."""
    return np.asarray((start + 1 + np.arange(steps)) % BLOCK == 0)

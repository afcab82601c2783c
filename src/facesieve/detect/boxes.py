"""Box arithmetic of the cascade: arrays in, arrays out, no state.

Boxes are (N, 4) float64 corners x1, y1, x2, y2 in pixels. The cascade counts pixels inclusively, so a side is
x2 - x1 + 1 wherever MTCNN (Zhang et al., 2016) and its ports count it so.
"""

from __future__ import annotations

import numpy as np

from facesieve.records import Floats, Indices


def suppress(boxes: Floats, threshold: float, *, minimum: bool = False) -> Indices:
    """Greedy non-maximum suppression: the indices that stay, ascending.

    boxes: (N, 4), best first. Overlap is intersection over union, or over the smaller area with `minimum`.
    Memory is O(N).
    """
    x1, y1, x2, y2 = boxes.T
    area = (x2 - x1 + 1) * (y2 - y1 + 1)
    order = np.arange(len(boxes))
    picked = []
    while order.size:
        best, order = order[0], order[1:]
        picked.append(best)
        width = np.minimum(x2[best], x2[order]) - np.maximum(x1[best], x1[order]) + 1
        height = np.minimum(y2[best], y2[order]) - np.maximum(y1[best], y1[order]) + 1
        overlap = np.maximum(width, 0) * np.maximum(height, 0)
        base = np.minimum(area[best], area[order]) if minimum else area[best] + area[order] - overlap
        order = order[overlap / base <= threshold]
    return np.array(picked, np.intp)


def from_cells(rows: Indices, columns: Indices, scale: float) -> Floats:
    """The 12 x 12 windows, stride 2, that P-Net's cells looked at, in pixels of the full picture: (N, 4)."""
    corner = 2.0 * np.stack([columns, rows], axis=1)
    windows: Floats = np.trunc(np.hstack([corner + 1, corner + 12]) / scale)
    return windows


def regress(boxes: Floats, offsets: Floats, *, inclusive: bool = True) -> Floats:
    """Move each corner by its offset, in units of the box's side. offsets: (N, 4) for x1, y1, x2, y2."""
    sides = boxes[:, 2:] - boxes[:, :2] + inclusive
    return boxes + offsets * np.hstack([sides, sides])


def squared(boxes: Floats) -> Floats:
    """Boxes grown to squares of their longer side around the same centre."""
    sides = boxes[:, 2:] - boxes[:, :2]
    longest = sides.max(axis=1, keepdims=True)
    corner = boxes[:, :2] + sides * 0.5 - longest * 0.5
    return np.hstack([corner, corner + longest])

"""Box arithmetic of the cascade: pure functions of arrays.

Boxes are (N, 4) float64 corners x1, y1, x2, y2 in pixels. Both corners belong to the box, so a side is x2 - x1 + 1
wherever MTCNN (Zhang et al., 2016) and mtcnn 0.1.1 count it so.
"""

from __future__ import annotations

import numpy as np

from facesieve.records import Floats, Indices


def suppress(boxes: Floats, threshold: float, *, minimum: bool = False) -> Indices:
    """Greedy non-maximum suppression: the indices (K,) intp of the boxes that are kept, ascending.

    boxes: (N, 4), best first. threshold: a box is removed if it overlaps a better one by more than this. minimum:
    whether the intersection is divided by the smaller area instead of by the union. Memory is O(N).
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
    """The windows of P-Net's cells in pixels of the full picture: (N, 4).

    rows, columns: (N,) on the map, which has stride 2; each cell sees 12 x 12 pixels. scale: of the pyramid level.
    """
    corner = 2.0 * np.stack([columns, rows], axis=1)
    windows: Floats = np.trunc(np.hstack([corner + 1, corner + 12]) / scale)
    return windows


def regress(boxes: Floats, offsets: Floats, *, inclusive: bool = True) -> Floats:
    """(N, 4) boxes with each corner moved. offsets: (N, 4) of x1, y1, x2, y2, as shares of the box's sides.

    inclusive: whether a side is x2 - x1 + 1 instead of x2 - x1.
    """
    sides = boxes[:, 2:] - boxes[:, :2] + inclusive
    return boxes + offsets * np.hstack([sides, sides])


def squared(boxes: Floats) -> Floats:
    """(N, 4) squares with the same centres, whose side is the longer side of the box."""
    sides = boxes[:, 2:] - boxes[:, :2]
    longest = sides.max(axis=1, keepdims=True)
    corner = boxes[:, :2] + sides * 0.5 - longest * 0.5
    return np.hstack([corner, corner + longest])

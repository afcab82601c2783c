"""The nearest of many points to each of many others: exact, in blocks."""

from __future__ import annotations

import numpy as np

from facesieve.records import Floats, Floats32, Indices
from facesieve.relate.space import Space, Vectors

ROWS, TARGETS = 1024, 4096  # of one block
# Squared distances in float32 are wrong by less than this. Whatever is so near to the least one is computed exactly.
SLACK = 1e-5


def nearest(points: Vectors, targets: Vectors, space: Space, avoid: Indices | None = None) -> tuple[Indices, Floats]:
    """The nearest target of each point, (N,), and its distance, (N,); -1 and NaN where there is none.

    points: (N, D), of any float type; NaN for a point that has none. targets: (M, D), finite. avoid: (N,) one target
    that does not count for each point, -1 for none. Of equally near targets the first counts.
    """
    found, distance = np.full(len(points), -1, np.intp), np.full(len(points), np.nan)
    known = space.points(targets)
    for start in range(0, len(points) if len(targets) else 0, ROWS):
        rows = space.points(points[start : start + ROWS])
        there = np.flatnonzero(~np.isnan(rows).any(axis=1))
        without = None if avoid is None else avoid[start + there]
        found[start + there], distance[start + there] = _nearest(rows[there], known, space, without)
    return found, distance


def _nearest(points: Floats32, targets: Floats32, space: Space, avoid: Indices | None) -> tuple[Indices, Floats]:
    """Like `nearest`, for the points of one block."""
    found, distance = np.full(len(points), -1, np.intp), np.full(len(points), np.inf)
    least = np.full(len(points), np.inf, np.float32)  # so far, without the part that is the same for all targets
    lengths = (targets * targets).sum(axis=1)
    slack = SLACK * max(1, lengths.max())
    doubled = points * -2
    for start in range(0, len(targets), TARGETS):
        some = slice(start, start + TARGETS)
        squared = doubled @ targets[some].T
        squared += lengths[some]
        if avoid is not None:
            inside = np.flatnonzero((avoid >= start) & (avoid < start + squared.shape[1]))
            squared[inside, avoid[inside] - start] = np.inf
        lowest = squared.min(axis=1)
        maybe = np.flatnonzero(np.isfinite(lowest) & (lowest <= least + slack))
        least = np.minimum(least, lowest)
        row, column = np.nonzero(squared[maybe] <= least[maybe, np.newaxis] + slack)
        row, column = maybe[row], column + start
        exact = space.apart(points[row], targets[column])
        order = np.lexsort((column, exact, row))
        first = order[np.flatnonzero(np.diff(row[order], prepend=-1))]
        first = first[exact[first] < distance[row[first]]]
        found[row[first]], distance[row[first]] = column[first], exact[first]
    return found, np.where(found < 0, np.nan, distance)

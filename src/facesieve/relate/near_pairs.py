"""Pairs of near points among many: exact up to some thousands, and above that all but a few.

Points are distributed into cells, each into the cells of its two nearest pivots, and compared with those in the same
cell. Source: the inverted file of Sivic and Zisserman, "Video Google", ICCV 2003, with points in two cells.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from facesieve.records import Floats32, Indices
from facesieve.relate.nearest import SLACK, nearest
from facesieve.relate.space import Space, Vectors

EXACT = 16_384  # points that are all compared
IN_CELL = 512  # points in a cell, about
MOST_PIVOTS = 4096
AT_ONCE = 2048  # points that are compared with as many others
SEED = 1  # of the pivots, which are the same on every machine

Pairs = tuple[Indices, Indices]


def near_pairs(vectors: Vectors, space: Space, limit: float) -> Iterator[Pairs]:
    """Yield the rows of pairs of points that are about as near as the limit or nearer, the smaller row first.

    vectors: (N, D), NaN for a point that has none. limit: a distance of the space. Some pairs occur twice, and some are
    a little farther apart, so compute the distances that you need.
    """
    rows = np.flatnonzero(np.isfinite(vectors).all(axis=1))
    reach = np.sqrt(2 * limit) if space.cosine else limit
    for cell in _cells(vectors, rows, space):
        yield from _near_in(cell, vectors, space, reach**2)


def _cells(vectors: Vectors, rows: Indices, space: Space) -> Iterator[Indices]:
    """Yield the rows of each cell, ascending."""
    if len(rows) <= EXACT:
        yield rows
        return
    random = np.random.RandomState(SEED)  # its numbers are the same in every version of NumPy
    pivots = vectors[rows[random.permutation(len(rows))[: min(2 * len(rows) // IN_CELL, MOST_PIVOTS)]]]
    first, _ = nearest(vectors[rows], pivots, space)
    second, _ = nearest(vectors[rows], pivots, space, first)
    cells, twice = np.concatenate([first, second]), np.concatenate([rows, rows])
    order = np.lexsort((twice, cells))
    yield from np.split(twice[order], np.flatnonzero(np.diff(cells[order])) + 1)


def _near_in(cell: Indices, vectors: Vectors, space: Space, squared: float) -> Iterator[Pairs]:
    """Yield the near pairs in one cell. In a large one, points are compared with those around them and the first."""
    first = space.points(vectors[cell[:AT_ONCE]])
    for start in range(0, len(cell), AT_ONCE):
        some = cell[start : start + AT_ONCE]
        points = space.points(vectors[some])
        others = [(some, points), (cell[:AT_ONCE], first)] if start else [(some, points)]
        if len(cell) <= EXACT:
            earlier = (cell[begin : begin + AT_ONCE] for begin in range(0, start, AT_ONCE))
            others = [(some, points), *((rows, space.points(vectors[rows])) for rows in earlier)]
        for rows, against in others:
            at, to = np.nonzero(_squares(points, against) <= squared + SLACK)
            one, other = rows[to], some[at]
            yield one[one < other], other[one < other]


def _squares(points: Floats32, others: Floats32) -> Floats32:
    """(N, M) the squared distances of all pairs."""
    squares: Floats32 = (points * -2) @ others.T
    squares += (points * points).sum(axis=1)[:, np.newaxis]
    squares += (others * others).sum(axis=1)
    return squares

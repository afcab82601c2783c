"""Where the faces of each label are: the densest point among their embeddings.

It is found by mean shift: from the face with the most faces near it, the centre moves to the weighted mean of
the faces around it, again and again. The weight of a face falls to zero at the model's limit `reach`. So faces of other
people in a label do not move its centre, unless one of these people has more faces.

    faces of a label ─ the first 4,096 by id ─ the densest face ─ 12 steps of mean shift ─ centre ─ distances

The distance of a face is that from the centre without the face itself.

Sources: Fukunaga and Hostetler, "The estimation of the gradient of a density function", 1975; Comaniciu and Meer, "Mean
shift: a robust approach toward feature space analysis", 2002. The weights are Tukey's biweight.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from facesieve.records import Floats, Floats32, Indices, Integers, Mask
from facesieve.relate.space import Space, Vectors

MOST = 4096  # faces of a label that its centre is computed from: those with the smallest ids, which are random
STEPS = 12  # always as many, so that a last bit cannot change the number
AT_ONCE = 1 << 15  # faces in memory as float64
DENSITY_DIGITS = 9  # of the sums that the first face is chosen by
ALONE = 1e-9  # the share of weights below which no other face is near


@dataclass(frozen=True, slots=True, eq=False)
class Centres:
    """The centres of K labels, and how far each of N faces is from the centre of its label.

    labels: (K,) the numbers of the labels that have a centre, ascending. points: (K, D) float64. faces: (K,) how many
    faces each label has. distance: (N,) from the centre of the label without the face itself; NaN for a face that was
    not among them, or whose label has no centre without it.
    """

    labels: Indices
    points: Floats
    faces: Indices
    distance: Floats

    def row_of(self, labels: Indices) -> Indices:
        """(N,) the position of each label among `labels`; -1 if it has no centre."""
        if not len(self.labels):
            return np.full(len(labels), -1, np.intp)
        at = np.minimum(np.searchsorted(self.labels, labels), len(self.labels) - 1)
        return np.where(self.labels[at] == labels, at, -1)


def find_centres(
    vectors: Vectors, labels: Indices, order: Integers, among: Mask, space: Space, least: int = 3
) -> Centres:
    """The centre of every label.

    vectors: (N, D) embeddings, NaN for a face without one. labels: (N,) a number for each label, -1 for none. order:
    (N,) different numbers that order faces by their ids, whatever order they come in. among: (N,) boolean. least: a
    label with fewer faces has no centre, and neither has one without two faces that are near each other.
    """
    rows = _usable(vectors, labels, among, space)
    rows = rows[np.lexsort((order[rows], labels[rows]))]
    held, starts, counts = np.unique(labels[rows], return_index=True, return_counts=True)
    enough = counts >= least
    held, starts, counts = held[enough], starts[enough], counts[enough]
    used = np.minimum(counts, MOST)
    distance = np.full(len(labels), np.nan)
    points, known = [np.zeros((0, vectors.shape[1]))], [np.zeros(0, bool)]
    for batch in _batches(used):
        listed = [rows[start : start + count] for start, count in zip(starts[batch], used[batch], strict=True)]
        faces, owner = np.concatenate(listed), np.repeat(np.arange(len(listed)), used[batch])
        inside = space.points(vectors[faces]).astype(np.float64)
        first = np.concatenate([[0], np.cumsum(used[batch])[:-1]])
        dense = np.array([_densest(one, space.radius) for one in np.split(inside, first[1:])])
        found = _Mode(inside, owner, first, inside[first + np.maximum(dense, 0)], space)
        points.append(found.centres)
        known.append(dense >= 0)
        distance[faces] = np.where(dense[owner] >= 0, found.left_out(), np.nan)
    there = np.concatenate(known)
    centres = Centres(held[there], np.concatenate(points)[there], counts[there], distance)
    _add_others(centres, vectors, labels, rows, space)
    return centres


def _usable(vectors: Vectors, labels: Indices, among: Mask, space: Space) -> Indices:
    """The rows that have a label and an embedding."""
    rows = np.flatnonzero(among & (labels >= 0))
    kept = [
        some[np.isfinite(space.points(vectors[some])).all(axis=1)]
        for some in (rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE))
    ]
    return np.concatenate([np.zeros(0, np.intp), *kept])


def _batches(counts: Indices) -> Iterator[slice]:
    """Yield labels that together have some thousands of faces. counts: of each label."""
    ends = np.cumsum(counts)
    cuts = np.flatnonzero(np.diff(ends // AT_ONCE, prepend=0))
    edges = np.unique(np.concatenate([[0], cuts, [len(counts)]]))
    yield from (slice(start, end) for start, end in pairwise(edges.tolist()))


def _densest(points: Floats, radius: float) -> int:
    """The row of the face with the most faces near it; -1 if no two faces are near each other. The first of equals."""
    squares = (points * points).sum(axis=1)
    densities = []
    for start in range(0, len(points), 512):
        some = slice(start, start + 512)
        squared = squares[some, np.newaxis] + squares - 2 * (points[some] @ points.T)
        near = np.maximum(1 - np.maximum(squared, 0) / radius**2, 0) ** 3
        near[np.arange(len(near)), np.arange(start, start + len(near))] = 0
        densities.append(near.sum(axis=1))
    density = np.round(np.concatenate(densities), DENSITY_DIGITS)
    return int(density.argmax()) if density.any() else -1


class _Mode:
    """Mean shift for some labels together. points: (M, D) sorted by owner. first: (L,) the first row of each owner."""

    def __init__(self, points: Floats, owner: Indices, first: Indices, centres: Floats, space: Space) -> None:
        self._points, self._owner, self._first, self._space = points, owner, first, space
        self.centres = centres
        for _ in range(STEPS):
            self._weigh()
            self.centres = self._sums / self._totals[:, np.newaxis]

    def _weigh(self) -> None:
        away = ((self._points - self.centres[self._owner]) ** 2).sum(axis=1)
        self._weights = np.maximum(1 - away / self._space.radius**2, 0) ** 2
        self._sums = np.add.reduceat(self._points * self._weights[:, np.newaxis], self._first, axis=0)
        self._totals = np.add.reduceat(self._weights, self._first)

    def left_out(self) -> Floats:
        """(M,) the distance of each point from the mean of the others with their weights; NaN if no other is near."""
        self._weigh()
        others = self._totals[self._owner] - self._weights
        others[others < ALONE * self._totals[self._owner]] = np.nan
        means = (self._sums[self._owner] - self._points * self._weights[:, np.newaxis]) / others[:, np.newaxis]
        return self._space.apart(self._points, means)


def _add_others(centres: Centres, vectors: Vectors, labels: Indices, rows: Indices, space: Space) -> None:
    """Fill in the distances of faces that their label's centre was not computed from."""
    owners = centres.row_of(labels[rows])
    left = np.isnan(centres.distance[rows]) & (owners >= 0)
    sizes = np.minimum(centres.faces, MOST)
    position = np.arange(len(rows)) - np.searchsorted(labels[rows], labels[rows])
    left &= position >= np.where(owners >= 0, sizes[owners], 0) if len(sizes) else False
    rows, owners = rows[left], owners[left]
    for start in range(0, len(rows), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        points: Floats32 = space.points(vectors[rows[some]])
        centres.distance[rows[some]] = space.apart(points, centres.points[owners[some]])

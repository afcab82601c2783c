"""What is wrong with whole labels: two people under one, one person under two, one person twice in a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facesieve.records import Floats, Indices, Integers, Mask
from facesieve.relate.centres import Centres, find_centres
from facesieve.relate.nearest import nearest
from facesieve.relate.space import Space, Vectors


@dataclass(frozen=True, slots=True, eq=False)
class TwoGroups:
    """L labels whose faces fall into two tight groups.

    labels: (L,) numbers. faces: (L, 2) the rows of the faces in the middle of the larger and of the smaller group.
    sizes: (L, 2) how many faces are in each. distance: (L,) between the centres.
    """

    labels: Indices
    faces: Indices
    sizes: Indices
    distance: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """P pairs, the first one of each with the smaller number. distance: (P,) of each pair."""

    first: Indices
    second: Indices
    distance: Floats


def two_groups(
    vectors: Vectors,
    labels: Indices,
    order: Integers,
    centres: Centres,
    space: Space,
    limit: float,
    apart: float,
    least: int = 3,
) -> TwoGroups:
    """The labels in which the faces that are far from the centre have a centre of their own.

    centres: of these labels. limit: the greatest distance of a face from its centre. apart: the least distance of two
    centres of different people. least: faces of the smaller group.
    """
    second = find_centres(vectors, labels, order, centres.distance > limit, space, least)
    groups = [_members(one, labels, order, second.labels, limit) for one in (centres, second)]
    distance = space.apart(centres.points[centres.row_of(second.labels)], second.points)
    there = (groups[1][1] >= least) & (distance >= apart)
    faces, sizes = (np.stack(columns, axis=1)[there] for columns in zip(*groups, strict=True))
    larger = np.argsort(-sizes, axis=1, kind="stable")
    faces, sizes = (np.take_along_axis(columns, larger, axis=1) for columns in (faces, sizes))
    return TwoGroups(second.labels[there], faces, sizes, distance[there])


def _members(
    centres: Centres, labels: Indices, order: Integers, wanted: Indices, limit: float
) -> tuple[Indices, Indices]:
    """For each wanted label, the row of the face nearest to its centre, and how many faces are within the limit."""
    rows = np.flatnonzero(np.isin(labels, wanted) & ~np.isnan(centres.distance))
    rows = rows[np.lexsort((order[rows], centres.distance[rows], labels[rows]))]
    first = np.searchsorted(labels[rows], wanted)
    inside = np.concatenate([[0], np.cumsum(centres.distance[rows] <= limit)])
    ends = np.searchsorted(labels[rows], wanted, side="right")
    return rows[first], inside[ends] - inside[first]


def nearest_labels(centres: Centres, space: Space) -> tuple[Indices, Floats]:
    """For each of K labels with a centre, the row of the label with the nearest centre, and its distance; -1, NaN."""
    return nearest(centres.points, centres.points, space, np.arange(len(centres.labels)))


def same_person(centres: Centres, space: Space, limit: float) -> Pairs:
    """Labels of one person: each with the label that is nearest to it, if their centres are within the limit."""
    other, away = nearest_labels(centres, space)
    near = np.flatnonzero((other >= 0) & (away <= limit))
    ends = np.sort(np.stack([near, other[near]], axis=1), axis=1)
    pairs, at = np.unique(ends, axis=0, return_index=True)
    return Pairs(centres.labels[pairs[:, 0]], centres.labels[pairs[:, 1]], away[near[at]])


def twice_in_a_picture(vectors: Vectors, picture: Indices, among: Mask, space: Space, limit: float) -> Pairs:
    """Pairs of rows of faces of one picture that look like one person, which is hardly possible.

    picture: (N,) the number of each face's picture, ascending. among: (N,) boolean.
    """
    rows = np.flatnonzero(among)
    found = [Pairs(rows[:0], rows[:0], np.zeros(0))]
    for offset in range(1, int(np.bincount(picture[rows]).max(initial=0))):
        same = np.flatnonzero(picture[rows[:-offset]] == picture[rows[offset:]])
        one, other = rows[same], rows[same + offset]
        away = space.apart(space.points(vectors[one]), space.points(vectors[other]))
        near = away <= limit
        found.append(Pairs(one[near], other[near], away[near]))
    first, second, distance = (
        np.concatenate([getattr(some, name) for some in found]) for name in ("first", "second", "distance")
    )
    order = np.lexsort((second, first))
    return Pairs(first[order], second[order], distance[order])

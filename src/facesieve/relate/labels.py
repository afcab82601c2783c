"""Whether a face belongs to its label: how far it is from the centre of its own label, and from that of another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facesieve.records import Floats, Indices, Integers, Mask
from facesieve.relate.centres import Centres, find_centres
from facesieve.relate.nearest import nearest
from facesieve.relate.space import DIGITS, Space, Vectors


@dataclass(frozen=True, slots=True, eq=False)
class LabelFit:
    """How N faces fit their labels.

    label_distance: (N,) from the centre of the face's label, which is computed without the face. label_margin: (N,) the
    distance from the nearest centre of another person, minus `label_distance`. other: (N,) the number of that label, -1
    for none. NaN where a face has no embedding or no label, or a label has no centre. centres: of all labels.
    """

    label_distance: Floats
    label_margin: Floats
    other: Indices
    centres: Centres


def label_distance(
    vectors: Vectors, labels: Indices, order: Integers, among: Mask, space: Space, least: int = 3
) -> Floats:
    """(N,) the distance of each face from the centre of its label. See `find_centres` for the arguments."""
    return find_centres(vectors, labels, order, among, space, least).distance


def fit_labels(
    vectors: Vectors, labels: Indices, order: Integers, among: Mask, space: Space, least: int = 3, alike: float = 0
) -> LabelFit:
    """How each face fits its label. See `find_centres` for the other arguments.

    alike: labels whose centres are no further apart are one person, so that neither is another label for the other.
    """
    centres = find_centres(vectors, labels, order, among, space, least)
    rows = np.flatnonzero(~np.isnan(centres.distance))
    found, away = _nearest_others(vectors, rows, centres, centres.row_of(labels[rows]), space, alike)
    margin, other = np.full(len(labels), np.nan), np.full(len(labels), -1, np.intp)
    margin[rows] = np.round(away - centres.distance[rows], DIGITS)
    other[rows[found >= 0]] = centres.labels[found[found >= 0]]
    return LabelFit(centres.distance, margin, other, centres)


def _nearest_others(
    vectors: Vectors, rows: Indices, centres: Centres, own: Indices, space: Space, alike: float
) -> tuple[Indices, Floats]:
    """For some faces, the nearest centre of another person, and its distance. own: the centre of each face's label."""
    points = centres.points
    found, away = nearest(vectors[rows], points, space, own)
    same = np.flatnonzero(found >= 0)
    same = same[space.between(points, own[same], found[same]) <= alike]
    for label in np.unique(own[same]).tolist():
        mine = same[own[same] == label]
        others = np.flatnonzero(space.apart(np.repeat(points[[label]], len(points), axis=0), points) > alike)
        again, away[mine] = nearest(vectors[rows[mine]], points[others], space)
        found[mine] = np.where(again < 0, -1, others[again] if len(others) else -1)
    return found, away

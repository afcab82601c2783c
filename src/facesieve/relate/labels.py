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
    distance from the nearest centre of another label, minus `label_distance`. other: (N,) the number of that label, -1
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
    vectors: Vectors, labels: Indices, order: Integers, among: Mask, space: Space, least: int = 3
) -> LabelFit:
    """How each face fits its label. See `find_centres` for the arguments."""
    centres = find_centres(vectors, labels, order, among, space, least)
    rows = np.flatnonzero(~np.isnan(centres.distance))
    own = centres.row_of(labels[rows])
    result = LabelFit(centres.distance, np.full(len(labels), np.nan), np.full(len(labels), -1, np.intp), centres)
    found, away = nearest(vectors[rows], centres.points, space, own)
    result.label_margin[rows] = np.round(away - centres.distance[rows], DIGITS)
    result.other[rows] = np.where(found < 0, -1, centres.labels[found] if len(centres.labels) else -1)
    return result

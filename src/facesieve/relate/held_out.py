"""How near a face is to the faces of another dataset, which should have none of its people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facesieve.records import Floats, Indices, Integers, Pixels
from facesieve.relate.centres import Centres, find_centres
from facesieve.relate.nearest import nearest
from facesieve.relate.nearest_hash import nearest_hash
from facesieve.relate.space import Space, Vectors


@dataclass(frozen=True, slots=True, eq=False)
class OwnLabels:
    """The labels of N faces that are compared with held-out ones.

    labels: (N,) a number for each label, -1 for none. order: see `find_centres`. limit: a face that is farther from the
    centre of its label does not count as its person.
    """

    labels: Indices
    order: Integers
    limit: float


def held_out_by_embedding(
    vectors: Vectors,
    held_out: Vectors,
    labels: Indices,
    order: Integers,
    space: Space,
    least: int = 3,
    own: OwnLabels | None = None,
) -> tuple[Floats, Indices]:
    """(N,) the distance of each face from the nearest held-out face or label, and (N,) the row of that face.

    The distance from a label is that from its centre, and its row is that of the face in its middle. Other pictures of
    a person are nearer to the centre than to most faces. If the centre of a face's own label is nearer to a held-out
    face or label than the face itself, the distance of the centre counts. So a person is held out with all pictures.
    vectors: (N, D), held_out: (M, D), NaN for a face without an embedding. labels: (M,) of the held-out faces, -1 for
    none. order, least: see `find_centres`. own: the labels of the N faces, if they are known. NaN and -1 where there is
    none.
    """
    rows = np.flatnonzero(np.isfinite(held_out).all(axis=1))
    centres = find_centres(held_out, labels, order, np.ones(len(labels), bool), space, least)
    targets = np.concatenate([space.points(held_out[rows]), space.points(centres.points)])
    rows = np.concatenate([rows, _middles(centres, labels, order)])
    found, distance = nearest(vectors, targets, space)
    if own is not None:
        found, distance = _with_own_label(found, distance, vectors, targets, space, least, own)
    return distance, np.where(found < 0, -1, rows[found] if len(rows) else -1)


def _with_own_label(
    found: Indices, distance: Floats, vectors: Vectors, targets: Vectors, space: Space, least: int, own: OwnLabels
) -> tuple[Indices, Floats]:
    """The nearest target of each face, or of the centre of its label if that one is nearer."""
    centres = find_centres(vectors, own.labels, own.order, np.ones(len(own.labels), bool), space, least)
    near, away = nearest(centres.points, targets, space)
    label = centres.row_of(own.labels)
    belongs = np.flatnonzero((label >= 0) & (centres.distance <= own.limit))
    closer = belongs[away[label[belongs]] < distance[belongs]]
    found[closer], distance[closer] = near[label[closer]], away[label[closer]]
    return found, distance


def _middles(centres: Centres, labels: Indices, order: Integers) -> Indices:
    """(K,) the row of the face that is nearest to the centre of each label."""
    rows = np.lexsort((order, centres.distance, labels))  # NaN is the last of its label
    return rows[np.searchsorted(labels[rows], centres.labels)]


def held_out_by_hash(hashes: Pixels, held_out: Pixels, mirrored: Pixels) -> tuple[Floats, Indices]:
    """Like `held_out_by_embedding`, for faces alone: the share of the bits of the hashes that differ; 1 and -1 if far.

    hashes: (N, 32), held_out: (M, 32) uint8, all zero for a face without a hash. mirrored: (32,) the bits that differ
    in the hash of a mirrored crop. Finds copies of a picture, not other pictures of its person.
    """
    return nearest_hash(hashes, held_out, mirrored)

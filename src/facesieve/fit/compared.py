"""Pairs of faces of a dataset: right ones of one person, and wrong ones of two, with the distances of embeddings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.manifests import Manifests
from facesieve.errors import DatasetError
from facesieve.quality import mirrored_bits
from facesieve.records import Floats, Indices, Mask
from facesieve.relate import distances
from facesieve.relate.hash_bits import BITS
from facesieve.relate.hash_search import NEAR_IN_LABEL
from facesieve.run.face_columns import FaceColumns, face_columns
from facesieve.run.face_tables import FaceTables

SEED = 0
OF_LABEL = 500  # right pairs of one label, so that large labels do not decide alone
RIGHT, WRONG = 500_000, 1_000_000  # pairs


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Pairs of faces, as rows of `faces`.

    right: (P, 2) two different pictures of one label. distance: (P,) of their embeddings. label: (P,) its number.
    wrong: (Q,) the distances of pairs of two labels. faces: how many faces were compared. labels: how many labels.
    """

    right: Indices
    distance: Floats
    label: Indices
    wrong: Floats
    faces: int
    labels: int


def compare(dataset: Manifests) -> Compared:
    """Pairs of the main faces of pictures, kept or not: all of a small dataset, some of a large one.

    They are drawn with a fixed seed. Two faces of one picture or clip are no pair, and neither are near-duplicates of
    one label. Memory: about 500 bytes per face.
    Raises DatasetError `no_embeddings`, `no_labels`, `one_label` or `no_pairs`.
    """
    root = dataset.layout.root
    if dataset.about.origin.identity is None:
        add = f"facesieve identify {root} --identity MODEL"
        raise DatasetError("no_embeddings", f"{root} has no embeddings, so errors cannot be counted. Add them: {add}.")
    faces = face_columns(FaceTables.of(dataset))
    assert faces.vectors is not None and faces.space is not None
    rows = _main_faces(faces)
    if not len(rows):
        raise DatasetError("no_labels", f"No face of {root} has a label and an embedding. Build with --label-from.")
    labels = faces.label[rows]
    if len(np.unique(labels)) == 1:
        raise DatasetError("one_label", f"All faces of {root} have one label. Faces of several people are needed.")
    right = _different_pictures(rows[_right(labels)], faces, dataset)
    if not len(right):
        raise DatasetError("no_pairs", f"No label of {root} has two different pictures, so no right pair can fail.")
    (one, other), (first, second) = right.T, rows[_wrong(labels)].T
    between, vectors = faces.space.between, faces.vectors
    apart, wrong = between(vectors, one, other), between(vectors, first, second)
    return Compared(right, apart, faces.label[one], wrong, len(rows), len(np.unique(labels)))


def _different_pictures(pairs: Indices, faces: FaceColumns, dataset: Manifests) -> Indices:
    """The pairs whose faces are neither of one picture or clip nor near-duplicates. pairs: (P, 2) rows."""
    pictures, (one, other) = _pictures(dataset), pairs.T
    hashed = faces.hashes[one].any(axis=1) & faces.hashes[other].any(axis=1)
    near = distances(faces.hashes[one], faces.hashes[other], mirrored_bits()) * BITS <= NEAR_IN_LABEL + 0.5
    different: Indices = pairs[(pictures[one] != pictures[other]) & ~(near & hashed)]
    return different


def _main_faces(faces: FaceColumns) -> Indices:
    """The rows of the most prominent face of each picture, among those that have a label and an embedding."""
    assert faces.vectors is not None
    rows = np.flatnonzero((faces.label >= 0) & np.isfinite(faces.vectors[:, 0]))
    order = rows[np.lexsort((-np.nan_to_num(faces.prominence[rows]), faces.picture[rows]))]
    first = np.diff(faces.picture[order], prepend=-1) > 0
    return np.asarray(np.sort(order[first]), np.intp)


def _pictures(dataset: Manifests) -> Indices:
    """(N,) a number for each picture of each face; frames of a clip are one."""
    columns = [rows["picture_id"] for rows in dataset.face_tables(["picture_id"])]
    ids = pa.chunked_array([chunk for column in columns for chunk in column.chunks], pa.string())
    return np.asarray(pc.rank(ids, tiebreaker="min")).astype(np.intp)


def _right(labels: Indices) -> Indices:
    """(P, 2) pairs of places with one label: all, or `OF_LABEL` of a label and `RIGHT` in all, drawn."""
    random = np.random.RandomState(SEED)
    order = np.argsort(labels, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)
    found = [np.zeros((0, 2), np.intp), *(_pairs_in(group, random) for group in groups if len(group) > 1)]
    pairs = np.concatenate(found)
    return pairs if len(pairs) <= RIGHT else pairs[np.sort(random.permutation(len(pairs))[:RIGHT])]


def _pairs_in(group: Indices, random: np.random.RandomState) -> Indices:
    if len(group) * (len(group) - 1) // 2 <= OF_LABEL:
        return np.stack([group[side] for side in np.triu_indices(len(group), 1)], axis=1)
    drawn = random.randint(0, len(group), (2 * OF_LABEL, 2))
    drawn = np.unique(np.sort(drawn[drawn[:, 0] != drawn[:, 1]], axis=1), axis=0)
    return group[drawn[random.permutation(len(drawn))[:OF_LABEL]]]


def _wrong(labels: Indices) -> Indices:
    """(Q, 2) pairs of places with two labels: all, or `WRONG` that are drawn."""
    count = len(labels)
    if count * (count - 1) // 2 <= WRONG:
        pairs = np.stack(np.triu_indices(count, 1), axis=1)
    else:
        pairs = np.random.RandomState(SEED).randint(0, count, (WRONG, 2))
    different: Mask = labels[pairs[:, 0]] != labels[pairs[:, 1]]
    return pairs[different]

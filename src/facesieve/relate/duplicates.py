"""Near-duplicates: faces whose crops are nearly the same picture.

Faces are taken from the fittest to the least fit. One that is near to no first face of a group becomes the first of a
new group. Every other one joins the fittest first face that it is near to. So every face of a group is near to its
first face.

    faces ─ near pairs (hash_search.py) ─ rounds ─ groups ─ ranks

Memory grows only with the number of faces, by about 300 bytes each besides their embeddings.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facesieve.records import Floats, Indices, Mask, Pixels
from facesieve.relate.embedded import Embedded
from facesieve.relate.hash_bits import BITS, words_of
from facesieve.relate.hash_search import HashSearch
from facesieve.relate.nearest_hash import NONE_NEAR, SPAN
from facesieve.relate.rank_in_picture import ranks_in_groups


@dataclass(frozen=True, slots=True, eq=False)
class Duplicates:
    """The near-duplicates among N faces.

    twin_distance: (N,) share of the bits that differ from the face's twin; 1 if it has none. twin: (N,) the row of the
    twin, -1 for none. The twin of the first face of a group is the nearest of the others, the twin of another face is
    the first. rank_among_duplicates: (N,) from 1, the fittest. All are NaN or -1 for faces that were not compared.
    """

    twin_distance: Floats
    rank_among_duplicates: Floats
    twin: Indices


def find_duplicates(
    hashes: Pixels,
    mirrored: Pixels,
    labels: Indices,
    fitness: Floats,
    among: Mask,
    embedded: Embedded | None = None,
) -> Duplicates:
    """The near-duplicates among some of N faces.

    hashes: (N, 32) uint8; all zero for a face without a hash, which is not compared. mirrored: (32,) the bits that
    differ in the hash of a mirrored crop. labels: (N,) a number for each label, -1 for none. fitness: (N,); of equally
    fit faces the earlier row counts as fitter, and NaN is the least fit. among: (N,) boolean. embedded: the embeddings
    of the faces, if they have any.
    """
    rows = np.flatnonzero(among & hashes.any(axis=1))
    rows = rows[np.argsort(-np.nan_to_num(fitness[rows], nan=-1.0), kind="stable")]
    held = embedded.take(rows) if embedded else None
    search = HashSearch(words_of(hashes[rows]), words_of(mirrored[None])[0], labels[rows], held)
    first, bits = _groups(search)
    total = len(hashes)
    result = Duplicates(np.full(total, np.nan), np.full(total, np.nan), np.full(total, -1, np.intp))
    if not len(rows):
        return result
    own = np.arange(len(rows))
    others = np.flatnonzero(first != own)
    twin, distance = np.where(first != own, first, -1), bits / BITS
    nearest = others[np.lexsort((others, bits[others], first[others]))]
    heads, at = np.unique(first[nearest], return_index=True)
    twin[heads], distance[heads] = nearest[at], distance[nearest[at]]
    distance[twin < 0] = NONE_NEAR
    result.twin_distance[rows] = distance
    result.twin[rows] = np.where(twin < 0, -1, rows[twin])
    order = np.lexsort((own, first))
    result.rank_among_duplicates[:] = ranks_in_groups(first[order], rows[order], total)
    return result


def _groups(search: HashSearch) -> tuple[Indices, Indices]:
    """(M,) the first face of each face's group, and how many bits differ from it. Faces are sorted by fitness.

    In each round, faces that are near to no fitter undecided face become the first of a group, and the faces near to
    these are decided. The result is the same as if faces were taken one by one.
    """
    total = len(search.words)
    first, bits, undecided = np.arange(total), np.zeros(total, np.intp), np.arange(total)
    while len(undecided):
        beaten = np.zeros(total, bool)
        for _, other, _ in search.near(undecided):
            beaten[other] = True
        heads = np.zeros(total, bool)
        heads[undecided[~beaten[undecided]]] = True
        joined = np.full(total, total * SPAN)  # the first face that it joins, and how many bits differ, as one number
        if beaten.any():
            for fitter, other, differ in search.near(undecided):
                to_head = heads[fitter]
                np.minimum.at(joined, other[to_head], fitter[to_head] * SPAN + differ[to_head])
        found = np.flatnonzero(joined < total * SPAN)
        first[found], bits[found] = np.divmod(joined[found], SPAN)
        undecided = undecided[~heads[undecided] & (first[undecided] == undecided)]
    return first, bits

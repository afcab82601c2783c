"""How near a face is to the faces of another dataset, which should have none of its people."""

from __future__ import annotations

import numpy as np

from facesieve.records import Floats, Indices, Pixels
from facesieve.relate.duplicates import nearest_hash
from facesieve.relate.nearest import nearest
from facesieve.relate.space import Space, Vectors


def held_out_by_embedding(vectors: Vectors, held_out: Vectors, space: Space) -> tuple[Floats, Indices]:
    """(N,) the distance of each face from the nearest held-out face, and (N,) the row of that face.

    vectors: (N, D), held_out: (M, D), NaN for a face without an embedding. NaN and -1 where there is none.
    """
    rows = np.flatnonzero(np.isfinite(held_out).all(axis=1))
    found, distance = nearest(vectors, held_out[rows], space)
    return distance, np.where(found < 0, -1, rows[found] if len(rows) else -1)


def held_out_by_hash(hashes: Pixels, held_out: Pixels, mirrored: Pixels) -> tuple[Floats, Indices]:
    """Like `held_out_by_embedding`, with the share of the bits of the hashes that differ; 1 and -1 if none is near.

    hashes: (N, 32), held_out: (M, 32) uint8, all zero for a face without a hash. mirrored: (32,) the bits that differ
    in the hash of a mirrored crop. Finds copies of a picture, not other pictures of its person.
    """
    return nearest_hash(hashes, held_out, mirrored)

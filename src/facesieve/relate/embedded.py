"""Embeddings beside hashes, for the search for near-duplicates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facesieve.records import Floats, Indices, Mask
from facesieve.relate.space import Space, Vectors

AT_ONCE = 1 << 19  # faces
PAIRS_AT_ONCE = 1 << 15


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """The embeddings of N faces, and when two faces with embeddings are near.

    vectors: (N, D), NaN for a face without one. limit: the greatest distance of near ones. bits: the most bits of their
    hashes that differ.
    """

    vectors: Vectors
    space: Space
    limit: float
    bits: int

    def take(self, rows: Indices) -> Embedded:
        """The embeddings of some faces."""
        return Embedded(self.vectors[rows], self.space, self.limit, self.bits)

    def lacking(self, rows: Indices) -> Mask:
        """(M,) which of these faces have no embedding."""
        parts = (rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE))
        return np.concatenate([np.zeros(0, bool), *(np.isnan(self.vectors[part, 0]) for part in parts)])

    def apart(self, one: Indices, other: Indices) -> Floats:
        """(P,) how far apart pairs of faces are; NaN if one of them has no embedding."""
        points = self.space.points
        some = [slice(start, start + PAIRS_AT_ONCE) for start in range(0, len(one), PAIRS_AT_ONCE)]
        pairs = ((points(self.vectors[one[part]]), points(self.vectors[other[part]])) for part in some)
        return np.concatenate([np.zeros(0), *(self.space.apart(a, b) for a, b in pairs)])

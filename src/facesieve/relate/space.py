"""Distances between embeddings, as their network means them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from facesieve.records import Floats, Floats32, Indices

DIGITS = 6  # to which distances are rounded, because the last bits of sums differ between processors
BLOCK = 65_536  # pairs that are compared at once
Vectors = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Space:
    """Where embeddings lie. cosine: their distance is 1 minus the cosine of the angle; otherwise it is Euclidean.

    reach: the distance from the centre of a person's faces beyond which a face does not count as one of them.
    """

    cosine: bool
    reach: float

    @property
    def radius(self) -> float:
        """The `reach` as a Euclidean distance of vectors that `points` returns."""
        return float(np.sqrt(2 * self.reach)) if self.cosine else self.reach

    def points(self, vectors: Vectors) -> Floats32:
        """(N, D) the vectors, with length 1 if only their angles count. A vector of zeros becomes NaN."""
        points: Floats32 = vectors.astype(np.float32)
        if self.cosine:
            with np.errstate(invalid="ignore"):
                points /= np.sqrt((points * points).sum(axis=1, keepdims=True))
        return points

    def apart(self, one: Vectors, other: Vectors) -> Floats:
        """(N,) the distance of each of (N, D) points from the other point in the same row, rounded."""
        one, other = np.asarray(one, np.float64), np.asarray(other, np.float64)
        if not self.cosine:
            away: Floats = np.round(np.sqrt(((one - other) ** 2).sum(axis=1)), DIGITS)
            return away
        with np.errstate(invalid="ignore", divide="ignore"):
            lengths = np.sqrt((one * one).sum(axis=1) * (other * other).sum(axis=1))
            apart: Floats = np.round(1 - (one * other).sum(axis=1) / lengths, DIGITS)
            return apart

    def between(self, points: Vectors, one: Indices, other: Indices) -> Floats:
        """(N,) the distances of pairs of (M, D) points. one, other: (N,) their rows. Memory is that of one block."""
        away = np.empty(len(one))
        for start in range(0, len(one), BLOCK):
            some = slice(start, start + BLOCK)
            away[some] = self.apart(points[one[some]], points[other[some]])
        return away

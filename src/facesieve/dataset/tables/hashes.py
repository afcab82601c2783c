"""Sets of hashes, eight bytes per value, for questions about millions of values. Hashes differ between processes."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable

import numpy as np

from facesieve.records import Integers, Mask

Hashes = Integers


def hashes_of(values: Collection[Hashable]) -> Hashes:
    """One hash per value, (N,) int64. Equal values have equal hashes."""
    return np.fromiter(map(hash, values), np.int64, len(values))


class HashSet:
    """A set of values, stored as sorted hashes. Two different values have the same hash with probability 2**-64."""

    def __init__(self, chunks: Iterable[Hashes] = ()) -> None:
        self._hashes = np.unique(np.concatenate([np.zeros(0, np.int64), *chunks]))

    def __len__(self) -> int:
        return len(self._hashes)

    def has(self, hashes: Hashes) -> Mask:
        """Whether each of these hashes is in the set, (N,) bool."""
        if not len(self):
            return np.zeros(len(hashes), bool)
        at = np.minimum(np.searchsorted(self._hashes, hashes), len(self) - 1)
        return np.asarray(self._hashes[at] == hashes)


def repeated_hashes(chunks: list[Hashes]) -> HashSet:
    """The hashes that occur more than once. Empties `chunks` to free their memory."""
    hashes = np.concatenate([np.zeros(0, np.int64), *chunks])
    chunks.clear()
    hashes.sort()
    return HashSet([hashes[1:][hashes[1:] == hashes[:-1]]])

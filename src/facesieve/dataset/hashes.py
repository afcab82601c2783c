"""Values by eight bytes each, for what is asked of millions of them. The hashes differ from process to process."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable

import numpy as np

from facesieve.records import Integers, Mask

Hashes = Integers


def hashes_of(values: Collection[Hashable]) -> Hashes:
    """One hash per value; equal values have equal hashes."""
    return np.fromiter(map(hash, values), np.int64, len(values))


class HashSet:
    """Which values are known, as sorted hashes. Two values are taken for one with a chance of 2**-64 per pair."""

    def __init__(self, chunks: Iterable[Hashes] = ()) -> None:
        self._hashes = np.unique(np.concatenate([np.zeros(0, np.int64), *chunks]))

    def __len__(self) -> int:
        return len(self._hashes)

    def has(self, hashes: Hashes) -> Mask:
        """Which of these hashes are in the set."""
        if not len(self):
            return np.zeros(len(hashes), bool)
        at = np.minimum(np.searchsorted(self._hashes, hashes), len(self) - 1)
        return np.asarray(self._hashes[at] == hashes)


def repeated(chunks: list[Hashes]) -> HashSet:
    """The hashes that occur more than once; the chunks are emptied, for their memory is needed."""
    hashes = np.concatenate([np.zeros(0, np.int64), *chunks])
    chunks.clear()
    hashes.sort()
    return HashSet([hashes[1:][hashes[1:] == hashes[:-1]]])

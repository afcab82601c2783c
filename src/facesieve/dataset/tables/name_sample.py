"""Names that split the sorted inputs of a ledger into blocks of about equal size."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from facesieve.records import Integers

BLOCK = 32_768  # pictures and faces that are sorted together
SPACING = 512  # pictures and faces from one name of the sample to the next


class NameSample:
    """A sample of the names, one for every `SPACING` pictures and faces."""

    def __init__(self) -> None:
        self._weight, self._names = 0, list[str]()

    def add(self, names: pa.ChunkedArray, faces: Integers) -> None:
        """Add the next names. faces: (N,) int64, the number of faces of each."""
        weights = self._weight + np.cumsum(faces + 1)
        steps = np.diff(weights // SPACING, prepend=self._weight // SPACING)
        self._names += names.take(pa.array(np.flatnonzero(steps))).to_pylist()
        self._weight = int(weights[-1]) if len(weights) else self._weight

    def bounds(self) -> list[str]:
        """Sorted names that split all of them into blocks of about `BLOCK` pictures and faces."""
        step = BLOCK // SPACING
        return sorted(set(sorted(self._names)[step::step]))

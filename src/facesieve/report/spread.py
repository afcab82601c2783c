"""An evenly spaced selection of rows that arrive one table after the other."""

from __future__ import annotations

import numpy as np
import pyarrow as pa


class Spread:
    """Selects at most `most` of `total` rows, evenly spaced. chosen: the selected rows, in order."""

    def __init__(self, total: int, most: int) -> None:
        few = np.arange(total) if total <= most else np.linspace(0, total - 1, most).round().astype(np.int64)
        self._wanted, self._seen = few, 0
        self.chosen: list[pa.Table] = []

    def add(self, rows: pa.Table) -> None:
        """Select from the next rows."""
        start, end = np.searchsorted(self._wanted, [self._seen, self._seen + len(rows)])
        self.chosen.append(rows.take(pa.array(self._wanted[start:end] - self._seen)))
        self._seen += len(rows)

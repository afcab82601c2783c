"""Columns of faces as Python values, much faster than `Table.to_pylist`, which exports would spend most time in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def values(rows: pa.Table, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield a tuple of the values of these columns for each row; a null is None."""
    return zip(*(_column(rows[name]) for name in names), strict=True)


def _column(column: pa.ChunkedArray) -> list[Any]:
    if not pa.types.is_floating(column.type):
        return list(column.to_pylist())
    numbers = np.asarray(pc.fill_null(column, np.nan), np.float64)
    found: list[Any] = numbers.tolist()
    for at in np.flatnonzero(np.isnan(numbers)).tolist():
        found[at] = None
    return found

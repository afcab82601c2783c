"""Columns of faces as Python values and as JSON, by whole columns: row by row, it would take most of the time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_ESCAPED = r'["\\\x00-\x1f]'  # characters that JSON writes in another way
_encode = json.JSONEncoder(ensure_ascii=False).encode


def values(rows: pa.Table, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield a tuple of the values of these columns for each row; a null is None."""
    return zip(*(_column(rows[name]) for name in names), strict=True)


def json_objects(columns: Mapping[str, pa.Array], end: str = "") -> pa.Array:
    """A JSON object for each row of columns of equal length, as text in UTF-8. A number that is not finite is null.

    end: a text that follows each object.
    """
    parts = list[Any]()
    for at, (name, column) in enumerate(columns.items()):
        parts += [f"{', ' if at else '{'}{_encode(name)}: ", _as_json(column)]
    return pc.binary_join_element_wise(*parts, "}" + end, "")


def _as_json(column: pa.Array) -> pa.Array:
    kind = column.type
    if pa.types.is_floating(kind):
        return pc.if_else(pc.fill_null(pc.is_finite(column), False), column.cast(pa.string()), "null")
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return pc.fill_null(column.cast(pa.string()), "null")
    if pa.types.is_string(kind) and not pc.any(pc.match_substring_regex(column, _ESCAPED)).as_py():
        return pc.fill_null(pc.binary_join_element_wise('"', column, '"', ""), "null")
    return pa.array(map(_encode, column.to_pylist()), pa.string())


def _column(column: pa.ChunkedArray) -> list[Any]:
    if not pa.types.is_floating(column.type):
        return list(column.to_pylist())
    numbers = np.asarray(pc.fill_null(column, np.nan), np.float64)
    found: list[Any] = numbers.tolist()
    for at in np.flatnonzero(np.isnan(numbers)).tolist():
        found[at] = None
    return found

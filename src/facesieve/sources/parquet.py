"""A Parquet list of paths."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow
import pyarrow.parquet

from facesieve.errors import UsageError
from facesieve.sources.columns import LABEL_COLUMN, path_column


def rows(path: Path) -> Iterator[tuple[int, tuple[str | None, str]]]:
    """Number, path and label of each row.

    Raises UsageError `bad_list` when no column holds paths, OSError when the file is not Parquet.
    """
    try:
        with pyarrow.parquet.ParquetFile(path) as table:
            yield from _rows(path, table)
    except pyarrow.ArrowException as error:
        raise OSError(f"{path} is not Parquet.") from error


def _rows(path: Path, table: pyarrow.parquet.ParquetFile) -> Iterator[tuple[int, tuple[str | None, str]]]:
    names = list(table.schema_arrow.names)
    column = names[path_column(path, [name.lower() for name in names])]
    kind = table.schema_arrow.field(column).type
    if not (pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)):
        raise UsageError("bad_list", f"Column {column!r} of the list {path} does not hold paths.")
    columns = [column, LABEL_COLUMN] if LABEL_COLUMN in names else [column]
    number = 0
    for batch in table.iter_batches(columns=columns):
        for row in batch.to_pylist():
            number += 1
            label = row.get(LABEL_COLUMN)
            yield number, (row[column], "" if label is None else str(label))

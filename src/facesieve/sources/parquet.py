"""The rows of a Parquet list."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow
import pyarrow.parquet
import pyarrow.types as kinds

from facesieve.errors import UsageError
from facesieve.sources.columns import choose, shown
from facesieve.sources.rows import Row
from facesieve.sources.state import Search

_PATHS, _PICTURES = 4096, 16  # rows that are in memory together, of paths and of encoded pictures


def parquet_rows(path: Path, stream: BinaryIO, search: Search) -> Iterator[Row]:
    """Rows of a Parquet list, a few at a time.

    Raises UsageError `bad_list` when no column holds pictures, OSError when the file is not Parquet.
    """
    try:
        with pyarrow.parquet.ParquetFile(stream, pre_buffer=False, buffer_size=1 << 20) as table:
            yield from _rows(path, table, search)
    except pyarrow.ArrowException as error:
        raise OSError(f"{path} is not Parquet.") from error


def _rows(path: Path, table: pyarrow.parquet.ParquetFile, search: Search) -> Iterator[Row]:
    schema = table.schema_arrow
    chosen = choose(path, schema.names, search)
    kind = _values(schema.field(chosen.picture).type)
    if not (_is_text(kind) or _is_bytes(kind) or _is_image(kind)):
        raise UsageError(
            "bad_list",
            f"Column {schema.names[chosen.picture]!r} of the list {shown(path)} holds no paths and no pictures.",
        )
    classes = _classes(schema, chosen.label)
    names = [schema.names[at] for at in (chosen.picture, chosen.label) if at is not None]
    number = 0
    for batch in table.iter_batches(_PATHS if _is_text(kind) else _PICTURES, columns=names):
        pictures = batch.column(batch.schema.get_field_index(names[0])).to_pylist()
        labels = [None] * len(pictures)
        if chosen.label is not None:
            labels = batch.column(batch.schema.get_field_index(names[1])).to_pylist()
        for picture, label in zip(pictures, labels, strict=True):
            number += 1
            yield Row(number, picture, _class(label, classes))


def _values(kind: Any) -> Any:
    return kind.value_type if kinds.is_dictionary(kind) else kind


def _is_text(kind: Any) -> bool:
    view = getattr(kinds, "is_string_view", lambda kind: False)
    return bool(kinds.is_string(kind) or kinds.is_large_string(kind) or view(kind) or kinds.is_null(kind))


def _is_bytes(kind: Any) -> bool:
    view = getattr(kinds, "is_binary_view", lambda kind: False)
    return bool(kinds.is_binary(kind) or kinds.is_large_binary(kind) or view(kind))


def _is_image(kind: Any) -> bool:
    """Whether it is how Hugging Face `datasets` stores a picture: its bytes, its path, or both."""
    if not kinds.is_struct(kind):
        return False
    return bool({"bytes", "path"} & {kind.field(at).name for at in range(kind.num_fields)})


def _classes(schema: Any, label: int | None) -> list[str]:
    """The names of classes that Hugging Face `datasets` stores as numbers; they are in the file's metadata."""
    if label is None:
        return []
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return [str(name) for name in features[schema.names[label]]["names"]]
    except (KeyError, TypeError, ValueError, RecursionError):
        return []


def _class(label: Any, classes: list[str]) -> Any:
    if classes and type(label) is int:
        return classes[label] if 0 <= label < len(classes) else None
    return label

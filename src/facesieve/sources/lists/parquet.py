"""The rows of a Parquet list, read a few at a time; sizes are checked before anything is unpacked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow
import pyarrow.parquet
import pyarrow.types as kinds

from facesieve.errors import UsageError
from facesieve.records import RefusalCode
from facesieve.sources.lists.classes import Classes
from facesieve.sources.lists.columns import choose, shown
from facesieve.sources.lists.row import Row
from facesieve.sources.openers import RefusedOpener
from facesieve.sources.search import Search

# How many rows are in memory at once.
_ROWS = 1 << 16  # of text or numbers
_NESTED_ROWS = 16  # whose labels are lists or structs
_PICTURE_ROWS, _PICTURE_BYTES = 1 << 12, 128 << 20  # of pictures, and the bytes of these pictures

# Limits on what the metadata of a list may claim.
_MOST_EXPANSION = 100  # times the size of the file: the most that a row group, or all pictures of a list, may unpack to
_SMALL_GROUP = 256 << 20  # bytes; a row group that unpacks to less is never too large
_MANY_ROWS = 1 << 20  # that any list may have; a larger file may have 8 rows per byte
_LONGEST_PATH = 4096  # bytes, as on Linux


def parquet_rows(path: Path, stream: BinaryIO, search: Search) -> Iterator[Row]:
    """Rows of a Parquet list.

    Raises UsageError `bad_list` when no column holds pictures, or when the list claims far more rows or bytes than a
    file of its size can have; OSError when the file is not Parquet.
    """
    try:
        schema = pyarrow.parquet.read_schema(stream)
        columns = choose(path, schema.names, search)
        names = [schema.names[at] for at in (columns.picture, columns.label) if at is not None]
        # As a dictionary, a value that many rows share is in memory once.
        shared = [name for name in names if _is_text(_values(schema.field(name).type))]
        stream.seek(0)
        with pyarrow.parquet.ParquetFile(
            stream, pre_buffer=False, buffer_size=1 << 20, read_dictionary=shared
        ) as table:
            yield from _rows(path, table, names, os.fstat(stream.fileno()).st_size, search)
    except MemoryError:
        raise
    except pyarrow.ArrowException as error:
        raise OSError(f"{path} is not Parquet.") from error


def _rows(path: Path, table: pyarrow.parquet.ParquetFile, names: list[str], size: int, search: Search) -> Iterator[Row]:
    """Rows with pictures and labels. size: of the file, in bytes."""
    picture_name, label_name = names[0], names[1] if len(names) > 1 else None
    schema = table.schema_arrow
    kind = _values(schema.field(picture_name).type)
    if not (_is_text(kind) or _is_bytes(kind) or _is_image(kind)):
        raise UsageError(
            "bad_list", f"Column {picture_name!r} of the list {shown(path)} holds no paths and no pictures."
        )
    if table.metadata.num_rows > max(_MANY_ROWS, 8 * size):
        raise UsageError(
            "bad_list", f"The list {shown(path)} claims {table.metadata.num_rows:,} rows in {size:,} bytes."
        )
    largest = _largest_group(path, table, size)
    batch_rows = _ROWS if _is_text(kind) else max(1, min(_PICTURE_ROWS, _PICTURE_BYTES // largest))
    if label_name and kinds.is_nested(schema.field(label_name).type):
        batch_rows = min(batch_rows, _NESTED_ROWS)
    classes = Classes.of(path, schema, label_name)
    most = min(search.settings.max_unpacked_bytes, max(search.settings.max_file_bytes, _MOST_EXPANSION * size))
    held = number = 0
    for picture, label in _pairs(table, names, batch_rows):
        number += 1
        if _is_bytes(kind):
            picture = _as_path(picture)
        data = picture.get("bytes") if isinstance(picture, dict) else picture
        held += len(data) if isinstance(data, bytes) else 0
        if held > most:
            break
        yield Row(number, picture, classes.name(number, label))
    if held <= most and number != table.metadata.num_rows:
        raise OSError(f"{path} has {number} rows and counts {table.metadata.num_rows}.")
    if held > most:  # only the labels of the other rows are read
        closed = RefusedOpener(
            RefusalCode.TOO_MANY_BYTES, "The list unpacks to more bytes than max_unpacked_bytes allows."
        )
        for at, label in enumerate(_labels(table, label_name, batch_rows), 1):
            if at >= number:
                yield Row(at, label=classes.name(at, label), refusal=closed)
    classes.tell(search)


def _pairs(table: pyarrow.parquet.ParquetFile, names: list[str], batch_rows: int) -> Iterator[tuple[Any, Any]]:
    """Pictures and labels, row by row."""
    for batch in table.iter_batches(batch_rows, columns=names):
        pictures, *labels = (_plain(batch.column(batch.schema.get_field_index(name))) for name in names)
        yield from zip(pictures, labels[0] if labels else repeat(None), strict=bool(labels))


def _labels(table: pyarrow.parquet.ParquetFile, name: str | None, batch_rows: int) -> Iterator[Any]:
    if name is None:
        yield from repeat(None, table.metadata.num_rows)
        return
    for batch in table.iter_batches(batch_rows, columns=[name]):
        yield from _plain(batch.column(0))


def _plain(column: Any) -> list[Any]:
    """The values of a column. Equal values of a dictionary column are one object, which saves memory."""
    if not kinds.is_dictionary(column.type):
        values: list[Any] = column.to_pylist()
        return values
    used = column.indices.unique().drop_null()
    held = dict(zip(used.to_pylist(), column.dictionary.take(used).to_pylist(), strict=True))
    return [held.get(index) for index in column.indices.to_pylist()]


def _largest_group(path: Path, table: pyarrow.parquet.ParquetFile, size: int) -> int:
    """The most bytes that one row group unpacks to; no value is longer.

    The metadata of single columns is not read, because Arrow ends the whole process if it is damaged.
    Raises UsageError if a group unpacks to far more than the file can hold.
    """
    most = max((table.metadata.row_group(at).total_byte_size for at in range(table.metadata.num_row_groups)), default=0)
    if most > max(_SMALL_GROUP, _MOST_EXPANSION * size):
        raise UsageError(
            "bad_list",
            f"Rows of the list {shown(path)} unpack to {most:,} bytes from {size:,}, as no paths or pictures do.",
        )
    return max(1, most)


def _as_path(value: Any) -> Any:
    """Bytes that are one line of text as a path, because no picture looks like that; anything else as it is."""
    if not value or len(value) > _LONGEST_PATH:
        return value
    try:
        text: str = value.decode("utf-8")
    except UnicodeError:
        return value
    return text if text.isprintable() else value


def _values(kind: Any) -> Any:
    return kind.value_type if kinds.is_dictionary(kind) else kind


def _is_text(kind: Any) -> bool:
    view = getattr(kinds, "is_string_view", lambda kind: False)
    return bool(kinds.is_string(kind) or kinds.is_large_string(kind) or view(kind) or kinds.is_null(kind))


def _is_bytes(kind: Any) -> bool:
    view = getattr(kinds, "is_binary_view", lambda kind: False)
    return bool(kinds.is_binary(kind) or kinds.is_large_binary(kind) or view(kind))


def _is_image(kind: Any) -> bool:
    """Whether it is a struct as Hugging Face `datasets` stores pictures: bytes, path, or both."""
    if not kinds.is_struct(kind):
        return False
    return bool({"bytes", "path"} & {kind.field(at).name for at in range(kind.num_fields)})

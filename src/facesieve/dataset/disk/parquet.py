"""Parquet files of a dataset: equal tables become equal bytes, and damage is noticed when they are read."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from facesieve.dataset.disk.checksums import Checksum, checksum_of_stream
from facesieve.dataset.disk.own_file import damaged_file, missing_file, open_own_file
from facesieve.errors import DatasetError

ROW_GROUP = 65_536  # rows in one group of a file


def table_bytes(table: pa.Table) -> bytes:
    """A table as the content of a Parquet file. Equal tables have equal bytes."""
    buffer = pa.BufferOutputStream()
    with parquet_writer(buffer, table.schema) as file:
        if len(table):  # Hugging Face `datasets` cannot read a group without rows
            file.write_table(table.combine_chunks(), ROW_GROUP)
    return bytes(buffer.getvalue())


def parquet_writer(sink: pa.NativeFile | BinaryIO, schema: pa.Schema) -> pq.ParquetWriter:
    """A writer with the options that every Parquet file of a dataset is written with."""
    return pq.ParquetWriter(sink, schema, compression="zstd")


def read_table(path: Path, columns: Sequence[str] | None = None, known: frozenset[Checksum] = frozenset()) -> pa.Table:
    """A Parquet file as a table. columns: the ones to read; those that the file lacks are skipped.

    known: the checksums that the file may have. An empty set skips the check.
    Raises DatasetError if the file is missing or damaged, or if there is not enough memory to read it.
    """
    with _opened(path, known) as file:
        table = file.read(columns, use_threads=False)
        if not known:
            table.validate(full=True)
        return table


def read_groups(
    path: Path, columns: Sequence[str] | None = None, known: frozenset[Checksum] = frozenset(), trusted: bool = False
) -> Iterator[pa.Table]:
    """Like `read_table`, but one row group at a time. trusted: the caller has checked the file already."""
    with _opened(path, known, trusted) as file:
        for number in range(file.num_row_groups):
            rows = file.read_row_group(number, columns, use_threads=False)
            if not (known or trusted):
                rows.validate(full=True)
            yield rows


def read_group(path: Path, number: int, columns: Sequence[str]) -> pa.Table:
    """One row group of a file, by its number from 0, with some columns. Raises DatasetError like `read_table`."""
    with _opened(path, frozenset()) as file:
        return file.read_row_group(number, columns, use_threads=False)


def group_sizes(path: Path) -> list[int]:
    """The number of rows in each row group of a file; reads only the footer. Raises DatasetError like `read_table`."""
    with _opened(path, frozenset()) as file:
        return [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]


def schema_of(path: Path, known: frozenset[Checksum] = frozenset()) -> pa.Schema:
    """The columns of a Parquet file. Raises DatasetError like `read_table`."""
    with _opened(path, known) as file:
        return file.schema_arrow


def row_count(path: Path) -> int:
    """The number of rows in a Parquet file; reads only the footer. Raises DatasetError like `read_table`."""
    with _opened(path, frozenset()) as file:
        return int(file.metadata.num_rows)


@contextmanager
def _opened(path: Path, known: frozenset[Checksum], trusted: bool = False) -> Iterator[pq.ParquetFile]:
    try:
        with open_own_file(path) as stream:  # Arrow reads some names as URLs, and accepts only names in UTF-8
            if known:
                _verify(path, stream, known)
            # No pre-buffering: if an Arrow thread releases a Python file while the process exits, the process aborts.
            with _arrow_errors(path, bool(known) or trusted), pq.ParquetFile(stream, pre_buffer=False) as file:
                yield file
    except (FileNotFoundError, NotADirectoryError) as error:
        if path.is_symlink():
            raise damaged_file(path, "this is a link to a file that is missing") from error
        raise missing_file(path) from error
    except (MemoryError, OSError) as error:
        if isinstance(error, MemoryError) or error.errno == errno.ENOMEM:
            raise DatasetError(
                "out_of_memory", f"There is not enough memory to read {path}. Free some memory and run it again."
            ) from error
        raise DatasetError("cannot_read", f"Cannot read {path}: {error.strerror or error}.") from error


def _verify(path: Path, stream: BufferedReader, known: frozenset[Checksum]) -> None:
    if checksum_of_stream(stream) not in known:
        raise damaged_file(path)
    stream.seek(0)


@contextmanager
def _arrow_errors(path: Path, checked: bool) -> Iterator[None]:
    """Turn an error from Arrow into "damaged", or into OSError if the file is known to be intact (`checked`)."""
    try:
        yield
    except MemoryError:
        raise
    except (OSError, ValueError, KeyError, TypeError, OverflowError, pa.ArrowException) as error:
        if checked or getattr(error, "errno", None):  # the content is right, or the disk did not deliver it
            raise OSError(getattr(error, "errno", None), str(error)) from error
        raise damaged_file(path) from error

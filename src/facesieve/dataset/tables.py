"""Tables and values on disk: equal tables are equal bytes, and what cannot be read is told with a clear word."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from facesieve.dataset.commit import publish
from facesieve.dataset.sums import Sum, sum_of, sum_of_stream
from facesieve.errors import DatasetError

ROW_GROUP = 65_536


def table_bytes(table: pa.Table) -> bytes:
    """A table as a Parquet file. Equal tables give equal bytes."""
    buffer = pa.BufferOutputStream()
    _write(table, buffer)
    return bytes(buffer.getvalue())


def _write(table: pa.Table, where: Any) -> None:
    with writer_of(where, table.schema) as file:
        if len(table):  # Hugging Face `datasets` cannot read a group of no rows
            file.write_table(table.combine_chunks(), ROW_GROUP)


def writer_of(where: Any, schema: pa.Schema) -> pq.ParquetWriter:
    """How all tables are written, so that equal tables give equal bytes."""
    return pq.ParquetWriter(where, schema, compression="zstd")


def read_table(path: Path, columns: Sequence[str] | None = None, known: frozenset[Sum] = frozenset()) -> pa.Table:
    """A Parquet file. columns: some of them; those that it does not have are left out.

    known: the sums that the file may have; nothing is checked where there is none.
    Raises DatasetError when the file is absent, damaged, or when there is not enough memory to read it.
    """
    with _opened(path, known) as file:
        table = file.read(columns, use_threads=False)
        if not known:
            table.validate(full=True)
        return table


def read_groups(
    path: Path, columns: Sequence[str] | None = None, known: frozenset[Sum] = frozenset(), trusted: bool = False
) -> Iterator[pa.Table]:
    """As `read_table`, one group of rows after the other. trusted: the file was compared with its sum before."""
    with _opened(path, known, trusted) as file:
        for number in range(file.num_row_groups):
            rows = file.read_row_group(number, columns, use_threads=False)
            if not (known or trusted):
                rows.validate(full=True)
            yield rows


def schema_of(path: Path, known: frozenset[Sum] = frozenset()) -> pa.Schema:
    """The columns of a Parquet file. Raises DatasetError as `read_table`."""
    with _opened(path, known) as file:
        return file.schema_arrow


def rows_in(path: Path) -> int:
    """How many rows a Parquet file has; only its end is read. Raises DatasetError as `read_table`."""
    with _opened(path, frozenset()) as file:
        return int(file.metadata.num_rows)


@contextmanager
def _opened(path: Path, known: frozenset[Sum], trusted: bool = False) -> Iterator[pq.ParquetFile]:
    """A Parquet file; what Arrow says of damage becomes one error, unless the file has the right sum."""
    try:
        with path.open("rb") as stream:  # Arrow would take some names for addresses, and needs names in UTF-8
            if known:
                _verify(path, stream, known)
            # In this thread alone: a thread of Arrow that lets go of a Python file while the process ends aborts it.
            with _told(path, bool(known) or trusted), pq.ParquetFile(stream, pre_buffer=False) as file:
                yield file
    except FileNotFoundError as error:
        raise missing(path) from error
    except (MemoryError, OSError) as error:
        if isinstance(error, MemoryError) or error.errno == errno.ENOMEM:
            raise DatasetError(
                "out_of_memory", f"There is not enough memory to read {path}. Free some, and run the same again."
            ) from error
        raise DatasetError("cannot_read", f"Cannot read {path}: {error.strerror or error}.") from error


def _verify(path: Path, stream: BufferedReader, known: frozenset[Sum]) -> None:
    if sum_of_stream(stream) not in known:
        raise damaged(path)
    stream.seek(0)


@contextmanager
def _told(path: Path, checked: bool) -> Iterator[None]:
    try:
        yield
    except MemoryError:
        raise
    except (OSError, ValueError, KeyError, TypeError, OverflowError, pa.ArrowException) as error:
        if checked or getattr(error, "errno", None):  # the bytes are right, or never came: the machine is at fault
            raise OSError(getattr(error, "errno", None), str(error)) from error
        raise damaged(path) from error


def missing(path: Path) -> DatasetError:
    """What is told of a file that is not there."""
    return DatasetError("not_a_dataset", f"{path} is missing: not a finished dataset.")


def damaged(path: Path) -> DatasetError:
    """What is told of a file that does not hold what was written."""
    return DatasetError(
        "damaged_dataset", f"{path} is damaged; `facesieve check DATASET --repair` sets right what it can."
    )


def write_json(values: dict[str, Any], path: Path, scratch: Path) -> None:
    """Publish values as JSON a person can read. Raises DatasetError where the disk refuses."""
    publish(json_bytes(values), path, scratch)


def json_bytes(values: dict[str, Any]) -> bytes:
    """Values as JSON that a person can read."""
    return (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode()


def read_json(path: Path, known: frozenset[Sum] = frozenset()) -> dict[str, Any]:
    """Values from a JSON file. Raises DatasetError when it is absent or damaged.

    known: the sums that the file may have; nothing is compared where there is none.
    """
    try:
        data = path.read_bytes()
        if known and sum_of(data) not in known:
            raise damaged(path)
        values = json.loads(data)
        json_bytes(values)  # halves of characters cannot be written again
    except FileNotFoundError as error:
        raise DatasetError("not_a_dataset", f"{path} is missing: not a dataset.") from error
    except OSError as error:
        raise DatasetError("cannot_read", f"Cannot read {path}: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise damaged(path) from error
    if not isinstance(values, dict):
        raise damaged(path)
    return values

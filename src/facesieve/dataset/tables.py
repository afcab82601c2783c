"""Tables and values on disk: equal tables are equal bytes, and what cannot be read is told with a clear word."""

from __future__ import annotations

import errno
import json
from io import BufferedReader
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from facesieve.dataset.commit import publish, whole
from facesieve.dataset.sums import Sum, sum_of, sum_of_stream
from facesieve.errors import DatasetError

ROW_GROUP = 65_536


def table_bytes(table: pa.Table) -> bytes:
    """A table as a Parquet file. Equal tables give equal bytes."""
    buffer = pa.BufferOutputStream()
    _write(table, buffer)
    return bytes(buffer.getvalue())


def write_table(table: pa.Table, path: Path, scratch: Path) -> None:
    """Publish a table as Parquet. Equal tables give equal bytes. Raises DatasetError where the disk refuses."""
    with whole(path, scratch) as stream:
        _write(table, stream)


def _write(table: pa.Table, where: Any) -> None:
    with pq.ParquetWriter(where, table.schema, compression="zstd") as file:
        if len(table):  # Hugging Face `datasets` cannot read a group of no rows
            file.write_table(table.combine_chunks(), ROW_GROUP)


def read_table(path: Path, columns: list[str] | None = None, known: frozenset[Sum] = frozenset()) -> pa.Table:
    """A Parquet file.

    known: the sums that the file may have; nothing is checked where there is none.
    Raises DatasetError when the file is absent, damaged, or when there is not enough memory to read it.
    """
    try:
        with path.open("rb") as stream:  # Arrow would take some names for addresses, and needs names in UTF-8
            if known:
                _verify(path, stream, known)
            return _parse(stream, columns, checked=bool(known))
    except FileNotFoundError as error:
        raise DatasetError("not_a_dataset", f"{path} is missing: not a finished dataset.") from error
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


def _parse(stream: BufferedReader, columns: list[str] | None, checked: bool) -> pa.Table:
    """The table in a Parquet file; what Arrow says of damage becomes one error, unless the file has the right sum."""
    try:
        # In this thread alone: a thread of Arrow that lets go of a Python file while the process ends aborts it.
        with pq.ParquetFile(stream, pre_buffer=False) as file:
            table = file.read(columns, use_threads=False)
        if not checked:
            table.validate(full=True)
        return table
    except MemoryError:
        raise
    except (OSError, ValueError, KeyError, TypeError, OverflowError, pa.ArrowException) as error:
        if checked or getattr(error, "errno", None):  # the bytes are right, or never came: the machine is at fault
            raise OSError(getattr(error, "errno", None), str(error)) from error
        raise damaged(Path(stream.name)) from error


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

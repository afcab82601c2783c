"""Tables and values on disk: equal tables are equal bytes, and what cannot be read is told with a clear word."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from facesieve.dataset.commit import publish, whole
from facesieve.errors import DatasetError

ROW_GROUP = 65_536


def write_table(table: pa.Table, path: Path, scratch: Path) -> None:
    """Publish a table as Parquet. Equal tables give equal bytes. Raises DatasetError where the disk refuses."""
    with whole(path, scratch) as stream:
        pq.write_table(table.combine_chunks(), stream, row_group_size=ROW_GROUP, compression="zstd")


def read_table(path: Path, columns: list[str] | None = None) -> pa.Table:
    """A Parquet file. Raises DatasetError when it is absent or not whole."""
    try:
        with pq.ParquetFile(path) as file:
            return file.read(columns)
    except FileNotFoundError as error:
        raise DatasetError("not_a_dataset", f"{path} is missing: not a finished dataset.") from error
    except (OSError, pa.ArrowException) as error:
        raise DatasetError("damaged_dataset", f"Cannot read {path}: it is damaged or not Parquet.") from error


def write_json(values: dict[str, Any], path: Path, scratch: Path) -> None:
    """Publish values as JSON a person can read. Raises DatasetError where the disk refuses."""
    publish((json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode(), path, scratch)


def read_json(path: Path) -> dict[str, Any]:
    """Values from a JSON file. Raises DatasetError when it is absent or damaged."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise DatasetError("not_a_dataset", f"{path} is missing: not a dataset.") from error
    except (OSError, ValueError, TypeError) as error:
        raise DatasetError("damaged_dataset", f"Cannot read {path}: it is damaged.") from error

"""The manifests on disk: written so that equal tables are equal bytes, read with a clear word when they cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from facesieve.dataset.commit import publish, whole
from facesieve.dataset.layout import Layout
from facesieve.dataset.names import UNLABELLED
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


def write_manifests(faces: pa.Table, pictures: pa.Table, layout: Layout) -> None:
    """Publish `faces.parquet`, `pictures.parquet` and the kept crops' own `kept/metadata.parquet`."""
    write_table(beside_crops(faces), layout.metadata, layout.scratch)
    write_table(faces, layout.faces, layout.scratch)
    write_table(pictures, layout.pictures, layout.scratch)


def beside_crops(faces: pa.Table) -> pa.Table:
    """Rows of the kept crops with `file_name` relative to `kept/` and the folder as a class label.

    The schema carries Hugging Face `datasets` features, so that `load_dataset("imagefolder")` gives a ClassLabel.
    """
    rows = faces.filter(pc.and_(faces["kept"], pc.is_valid(faces["file_name"])))
    names = pc.replace_substring_regex(rows["file_name"], pattern="^kept/", replacement="")
    folders = np.asarray(pc.replace_substring_regex(names, pattern="/[^/]*$", replacement=""), object).astype(str)
    classes, codes = np.unique(folders, return_inverse=True)
    rest = rows.drop_columns(["file_name", "label", "kept", "reasons"])
    columns = {"file_name": names, "label": pa.array(codes.astype(np.int64))}
    table = pa.table(columns | dict(zip(rest.column_names, rest.columns, strict=True)))
    return table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": _features(table, classes)}})})


def _features(table: pa.Table, classes: Any) -> dict[str, Any]:
    kinds = {pa.string(): "string", pa.float64(): "float64"}
    features: dict[str, Any] = {
        field.name: {"dtype": kinds.get(field.type, "int64"), "_type": "Value"} for field in table.schema
    }
    features["label"] = {"names": [str(name) for name in classes] or [UNLABELLED], "_type": "ClassLabel"}
    return features

"""The manifest of the kept crops, `kept/metadata.parquet`, in the form that image-folder loaders read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.disk.names import UNLABELLED
from facesieve.dataset.disk.parquet import read_groups
from facesieve.dataset.tables.manifest_writer import ManifestWriter
from facesieve.dataset.tables.schema import CROP_HASH


def write_crop_manifest(faces: ManifestWriter, path: Path, scratch: Path) -> ManifestWriter:
    """Write the manifest of the kept crops from the manifest of all faces, which must be finished.

    `file_name` is relative to `kept/`, and `label` is the number of the folder. The schema carries the features of
    Hugging Face `datasets`, so that `load_dataset("imagefolder")` has a ClassLabel. Neither manifest needs to be
    published. Raises DatasetError if the file cannot be written.
    """
    folders = set[str]()
    for rows in _kept(faces, ["kept", "file_name"]):
        folders.update(pc.unique(_folders(rows)).to_pylist())
    classes = pa.array(sorted(folders), pa.string())
    crops: ManifestWriter | None = None
    for rows in chain([faces.schema.empty_table()], _kept(faces)):
        table = _crop_rows(rows, classes)
        crops = crops or ManifestWriter(path, table.schema, scratch)
        crops.add(table)
    assert crops
    crops.finish()
    return crops


def _kept(faces: ManifestWriter, columns: list[str] | None = None) -> Iterator[pa.Table]:
    for file in faces.files:
        for rows in read_groups(file, columns, trusted=True):
            yield rows.filter(pc.and_(rows["kept"], pc.is_valid(rows["file_name"])))


def _names(rows: pa.Table) -> pa.ChunkedArray:
    return pc.replace_substring_regex(rows["file_name"], pattern="^kept/", replacement="")


def _folders(rows: pa.Table) -> pa.ChunkedArray:
    return pc.replace_substring_regex(_names(rows), pattern="/[^/]*$", replacement="")


def _crop_rows(rows: pa.Table, classes: pa.Array) -> pa.Table:
    codes = pc.index_in(_folders(rows), classes).cast(pa.int64())
    rest = rows.drop_columns(["file_name", "label", "kept", "reasons", CROP_HASH])
    columns = {"file_name": _names(rows), "label": codes} | dict(zip(rest.column_names, rest.columns, strict=True))
    table = pa.table(columns)
    features = _features(table, classes.to_pylist())
    return table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def _features(table: pa.Table, classes: list[str]) -> dict[str, Any]:
    kinds = {pa.string(): "string", pa.float64(): "float64"}
    features: dict[str, Any] = {
        field.name: {"dtype": kinds.get(field.type, "int64"), "_type": "Value"} for field in table.schema
    }
    features["label"] = {"names": classes or [UNLABELLED], "_type": "ClassLabel"}
    return features

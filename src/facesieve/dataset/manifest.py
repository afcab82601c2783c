"""The manifests of a dataset: every face, every picture, and the kept crops' own, which loaders read."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.layout import Layout
from facesieve.dataset.names import UNLABELLED
from facesieve.dataset.tables import write_table


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

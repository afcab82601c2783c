"""The description of columns that Hugging Face `datasets` reads from the metadata of a Parquet file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

_KINDS = {pa.string(): "string", pa.float64(): "float64", pa.bool_(): "bool"}


def with_features(schema: pa.Schema, classes: Sequence[str]) -> pa.Schema:
    """The schema with features: a struct is an image, and `label` is one of the classes."""
    features = {field.name: _feature(field, classes) for field in schema}
    return schema.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def _feature(field: pa.Field, classes: Sequence[str]) -> dict[str, Any]:
    if field.name == "label":
        return {"names": list(classes), "_type": "ClassLabel"}
    if pa.types.is_struct(field.type):
        return {"_type": "Image"}
    if pa.types.is_list(field.type):
        return {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"}
    return {"dtype": _KINDS.get(field.type, "int64"), "_type": "Value"}

"""Changes columns of the faces that are nested in the rows of a ledger part."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa


def with_face_columns(rows: pa.Table, columns: Mapping[str, pa.Array], kind: pa.StructType | None = None) -> pa.Table:
    """The rows with some columns of their faces replaced.

    columns: one value for each face of all rows, in order. kind: the type of the faces of the result; None keeps it.
    """
    nested = rows["faces"].combine_chunks()
    held, kind = nested.flatten(), kind or nested.type.value_type
    arrays = [columns[field.name] if field.name in columns else held.field(field.name) for field in kind]
    structs = pa.StructArray.from_arrays(arrays, fields=list(kind))
    ends = np.cumsum(np.asarray(nested.value_lengths().fill_null(0)))
    offsets = pa.array(np.concatenate([[0], ends]).astype(np.int32))
    at = rows.schema.get_field_index("faces")
    field = rows.schema.field(at).with_type(pa.list_(kind))
    return rows.set_column(at, field, pa.ListArray.from_arrays(offsets, structs, field.type))

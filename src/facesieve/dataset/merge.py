"""Parts of a ledger become the two manifests, the same ones however the inputs were cut into parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.schema import face_schema, part_schema, picture_schema
from facesieve.errors import DatasetError
from facesieve.records import RefusalCode


def merge(parts: Sequence[pa.Table], measures: Sequence[str]) -> tuple[pa.Table, pa.Table]:
    """Faces and pictures of all parts, sorted by source; of a source in several parts the last one counts.

    A picture whose bytes another source of the same label already has (the first by name) is refused as
    a duplicate, and its faces are left out. Raises DatasetError when the parts do not have the columns of one dataset.
    """
    try:
        return _merge(parts, measures)
    except (pa.ArrowInvalid, pa.ArrowTypeError, KeyError) as error:  # only parts without a checksum come so far
        raise DatasetError(
            "damaged_dataset",
            "Parts of the ledger do not fit each other; `facesieve check DATASET` says which are damaged.",
        ) from error


def _merge(parts: Sequence[pa.Table], measures: Sequence[str]) -> tuple[pa.Table, pa.Table]:
    rows = pa.concat_tables([part_schema(measures).empty_table(), *parts]).combine_chunks()
    rows = refuse_duplicates(rows.take(_latest(rows["source"])).combine_chunks())
    faces = _faces(rows, measures)
    return faces, _pictures(rows, faces)


def refuse_duplicates(rows: pa.Table) -> pa.Table:
    """Rows sorted by source, with a refusal on all but the first of equal pictures within a label."""
    first = _first_equal(rows)
    again = pa.array(first != np.arange(len(rows)))
    names = rows["source"].take(pa.array(first))
    sentence = pc.binary_join_element_wise("The same picture as ", names, ".", "")
    columns = {
        "refusal": pc.if_else(again, RefusalCode.DUPLICATE.value, rows["refusal"]),
        "message": pc.if_else(again, sentence, rows["message"]),
    }
    for name, column in columns.items():
        rows = rows.set_column(rows.schema.get_field_index(name), rows.schema.field(name), column)
    return rows


def _latest(sources: pa.ChunkedArray) -> pa.Array:
    """Indices that sort by source and take the last row of each."""
    order = np.asarray(pc.sort_indices(pa.table({"s": sources}), sort_keys=[("s", "ascending")]))  # stable
    codes = _codes(sources)[order]
    return pa.array(order[np.append(codes[1:] != codes[:-1], True)] if len(order) else order)


def _first_equal(rows: pa.Table) -> npt.NDArray[np.intp]:
    """For each row the index of the first read picture with its label and bytes; itself when it was refused."""
    indices = np.arange(len(rows))
    read = np.asarray(pc.is_null(rows["refusal"]))
    keys = np.stack([_codes(rows["label"]), _codes(rows["picture_id"])], axis=1)[read]
    _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    result = indices.copy()
    result[read] = indices[read][first][inverse.reshape(-1)] if len(keys) else 0
    return result


def _codes(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Small integers that are equal where the strings are."""
    encoded = column.combine_chunks().dictionary_encode("encode")
    return np.asarray(encoded.indices).astype(np.int64)


def _faces(rows: pa.Table, measures: Sequence[str]) -> pa.Table:
    rows = rows.filter(pc.is_null(rows["refusal"])).combine_chunks()
    nested = rows["faces"].combine_chunks()
    structs = nested.flatten()
    owner = pc.list_parent_indices(nested)
    schema = face_schema(measures)
    held = dict(zip([field.name for field in structs.type], structs.flatten(), strict=True))
    of_picture = {name: rows[name].take(owner) for name in ("picture_id", "source", "label")}
    return pa.table([({**held, **of_picture})[name] for name in schema.names], schema=schema).combine_chunks()


def _pictures(rows: pa.Table, faces: pa.Table) -> pa.Table:
    """Pictures with how many faces each has; rows and faces are both sorted by source."""
    schema = picture_schema()
    owner = np.asarray(pc.index_in(faces["source"], rows["source"].combine_chunks()), np.int64)
    kept = np.asarray(faces["kept"], bool)
    counts = {
        "faces": np.bincount(owner, minlength=len(rows)).astype(np.int32),
        "kept": np.bincount(owner[kept], minlength=len(rows)).astype(np.int32),
    }
    columns = [pa.array(counts[name]) if name in counts else rows[name] for name in schema.names]
    return pa.table(columns, schema=schema).combine_chunks()

"""Parts of a ledger become the two manifests, the same ones however the inputs were cut into parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.distinct import codes_of, distinct_names, keys_of
from facesieve.dataset.schema import face_schema, part_schema, picture_schema
from facesieve.errors import DatasetError
from facesieve.records import RefusalCode


def merge(parts: Sequence[pa.Table], measures: Sequence[str]) -> tuple[pa.Table, pa.Table]:
    """Faces and pictures of all parts, sorted by source; of an input in several parts the last row counts.

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


def named_inputs(parts: Sequence[pa.Table], measures: Sequence[str]) -> dict[str, bytes]:
    """What tells each input apart (`keys_of`), by the name that the manifests have for it."""
    rows = _latest(_joined(parts, measures))
    return dict(zip(rows["source"].to_pylist(), keys_of(rows).to_pylist(), strict=True))


def _merge(parts: Sequence[pa.Table], measures: Sequence[str]) -> tuple[pa.Table, pa.Table]:
    rows = refuse_duplicates(_latest(_joined(parts, measures)).combine_chunks())
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


def _joined(parts: Sequence[pa.Table], measures: Sequence[str]) -> pa.Table:
    """The rows of all parts; columns that parts of earlier versions lack become null."""
    empty = part_schema(measures).empty_table()
    return pa.concat_tables([empty, *parts], promote_options="default").combine_chunks()


def _latest(rows: pa.Table) -> pa.Table:
    """The last row of each input, each with a name of its own, sorted by it."""
    keys = keys_of(rows)
    order = np.asarray(pc.sort_indices(pa.table({"k": keys}), sort_keys=[("k", "ascending")]))  # stable
    codes = codes_of(keys)[order]
    last = pa.array(order[np.append(codes[1:] != codes[:-1], True)] if len(order) else order)
    names = distinct_names(rows["source"].take(last), rows["identity"].take(last))
    by_name = pc.sort_indices(names)
    at = rows.schema.get_field_index("source")
    return rows.take(last.take(by_name)).set_column(at, rows.schema.field(at), names.take(by_name))


def _first_equal(rows: pa.Table) -> npt.NDArray[np.intp]:
    """For each row the index of the first read picture with its label and bytes; itself when it was refused."""
    indices = np.arange(len(rows))
    read = np.asarray(pc.is_null(rows["refusal"]))
    keys = np.stack([codes_of(rows["label"]), codes_of(rows["picture_id"])], axis=1)[read]
    _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    result = indices.copy()
    result[read] = indices[read][first][inverse.reshape(-1)] if len(keys) else 0
    return result


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

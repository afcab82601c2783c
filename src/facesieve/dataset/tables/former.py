"""Replaces the codes of reasons that earlier versions wrote by the present codes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from facesieve.records import FORMER_REASONS


def with_current_reasons(table: pa.Table) -> pa.Table:
    """The table with the present codes of reasons in its column `reasons`, and in the faces of its column `faces`."""
    for name, column in (("reasons", _reasons), ("faces", _faces)):
        at = table.schema.get_field_index(name)
        if at >= 0 and pa.types.is_list(table.schema.field(at).type):
            field = table.schema.field(at)
            table = table.set_column(at, field, pa.chunked_array(map(column, table[at].chunks), field.type))
    return table


def current_counts(reasons: dict[str, int]) -> dict[str, int]:
    """How often each reason occurs, by its present code."""
    return {FORMER_REASONS.get(code, code): number for code, number in reasons.items()}


def _faces(lists: pa.ListArray) -> pa.ListArray:
    faces = lists.flatten()
    if not pa.types.is_struct(faces.type) or faces.type.get_field_index("reasons") < 0:
        return lists
    old = faces.field("reasons")
    if not _has_former(old):
        return lists
    columns = [_reasons(old) if field.name == "reasons" else faces.field(field.name) for field in faces.type]
    return _lists_like(lists, pa.StructArray.from_arrays(columns, fields=list(faces.type), mask=faces.is_null()))


def _reasons(lists: pa.ListArray) -> pa.ListArray:
    import pyarrow.compute as pc  # late, so that a build's workers, which read no ledger, start sooner

    if not _has_former(lists):
        return lists
    codes = lists.flatten()
    for former, current in FORMER_REASONS.items():
        codes = pc.if_else(pc.equal(codes, former), current, codes)
    return _lists_like(lists, codes)


def _has_former(lists: pa.ListArray) -> bool:
    """Whether any list has a former code. Most tables have none, and need no copy."""
    import pyarrow.compute as pc

    former = pa.array(FORMER_REASONS, pa.string())
    return pa.types.is_string(lists.type.value_type) and bool(pc.any(pc.is_in(lists.flatten(), former)).as_py())


def _lists_like(lists: pa.ListArray, values: pa.Array) -> pa.ListArray:
    """The values in lists of the same lengths; a list that is null stays null."""
    import pyarrow.compute as pc

    ends = np.cumsum(np.asarray(pc.fill_null(pc.list_value_length(lists), 0)), dtype=np.int32)
    absent = np.append(np.asarray(lists.is_null()), False)
    offsets = pa.array(np.concatenate([np.zeros(1, np.int32), ends]), mask=absent)
    return pa.ListArray.from_arrays(offsets, values, lists.type)

"""The embeddings of faces as a table: from ledger rows, and as arrays."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.tables.schema import EMBEDDING_FIELDS, embedding_schema
from facesieve.records import EMBEDDING_SIZE, Embeddings, Floats32, NoEmbedding


def embeddings_of(rows: pa.Table) -> pa.Table:
    """The rows of `embeddings`, from ledger rows: one for each row of `faces_of`, in the same order."""
    rows = rows.filter(pc.is_null(rows["refusal"])).combine_chunks()
    faces = rows["faces"].combine_chunks().flatten()
    held, missing = (faces.field(field.name) for field in EMBEDDING_FIELDS)
    absent = pc.is_null(held)
    missing = pc.if_else(absent, pc.fill_null(missing, NoEmbedding.NOT_COMPUTED.value), pa.scalar(None, pa.string()))
    return pa.table([faces.field("face_id"), _numbers(held, absent), missing], schema=embedding_schema())


def vectors_of(embeddings: pa.Table) -> Floats32:
    """The numbers in rows of `embeddings`: (N, 128) float32. A row without an embedding is NaN."""
    column = embeddings["embedding"].combine_chunks()
    vectors = np.full((len(column), EMBEDDING_SIZE), np.nan, np.float32)
    there = np.asarray(column.is_valid())
    vectors[there] = np.asarray(column.flatten()).reshape(-1, EMBEDDING_SIZE)  # `flatten` leaves out nulls
    return vectors


def stored_columns(found: Embeddings) -> tuple[list[bytes | None], list[str | None]]:
    """The values of `EMBEDDING_FIELDS` for N faces."""
    data = [None if why else row.astype("<f2").tobytes() for row, why in zip(found.vectors, found.missing, strict=True)]
    return data, [why or None for why in found.missing]


def _numbers(held: pa.Array, absent: pa.Array) -> pa.Array:
    """Bytes (N,) as lists of float16, null where there are none."""
    values = np.frombuffer(b"".join(held.drop_null().to_pylist()), "<f2").astype(np.float16, copy=False)
    ends = np.cumsum(~np.asarray(absent), dtype=np.int32) * EMBEDDING_SIZE
    offsets = np.concatenate([np.zeros(1, np.int32), ends])
    # An offset that is null makes its list null.
    nulls = np.append(np.asarray(absent), False)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32(), mask=nulls), pa.array(values, pa.float16()))

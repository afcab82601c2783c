"""Embeddings in a ledger part and as a table: the numbers survive, and what is missing says why."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from facesieve.dataset.disk.format import embedded_with, with_embedded, with_format
from facesieve.dataset.disk.parquet import table_bytes
from facesieve.dataset.tables.embeddings import embeddings_of, stored_columns, vectors_of
from facesieve.dataset.tables.merge import faces_of
from facesieve.dataset.tables.resolve import with_part_schema
from facesieve.dataset.tables.schema import embedding_schema, part_schema
from facesieve.records import Embeddings
from handmade import MEASURES

MODEL = "a" * 64
VECTORS = np.random.default_rng(0).normal(size=(4, 128)).astype(np.float16)
VECTORS[2] = [6e-8, -6e-8, 65504, -0.0] * 32  # the least and the largest numbers of float16


def part(missing: tuple[str, ...] = ("", "no_crop", "", "")) -> pa.Table:
    """Three pictures with two, no and two faces; a refused one between them."""
    data, why = stored_columns(Embeddings(VECTORS, missing))
    faces = [{"face_id": f"{row}", "embedding": data[row], "no_embedding": why[row]} for row in range(4)]
    pictures = [
        {"source": "a", "faces": faces[:2]},
        {"source": "b", "refusal": "empty", "faces": []},
        {"source": "c", "faces": []},
        {"source": "d", "faces": faces[2:]},
    ]
    return with_embedded(pa.Table.from_pylist(pictures, schema=part_schema(MEASURES, embedded=True)), MODEL)


def read_again(table: pa.Table) -> pa.Table:
    return pq.read_table(io.BytesIO(table_bytes(table)))


def test_numbers_survive_a_part_and_a_table_to_the_last_bit() -> None:
    held = read_again(with_format(part()))
    assert embedded_with(held) == MODEL
    table = read_again(embeddings_of(with_part_schema(held, MEASURES, model=MODEL)))
    assert table.schema == embedding_schema()
    assert table["face_id"].to_pylist() == faces_of(held, MEASURES)["face_id"].to_pylist() == ["0", "1", "2", "3"]
    assert table["no_embedding"].to_pylist() == [None, "no_crop", None, None]
    vectors = vectors_of(table)
    assert np.isnan(vectors[1]).all()
    assert np.array_equal(vectors[[0, 2, 3]].astype(np.float16).view(np.uint16), VECTORS[[0, 2, 3]].view(np.uint16))


def test_some_rows_of_a_table_have_their_own_numbers() -> None:
    table = embeddings_of(part())
    assert np.array_equal(vectors_of(table.slice(2)), VECTORS[2:].astype(np.float32))
    assert np.isnan(vectors_of(table.slice(1, 1))).all()
    chunks = pa.concat_tables([table.slice(3), table.slice(0, 2)])
    assert np.array_equal(vectors_of(chunks)[:2], VECTORS[[3, 0]].astype(np.float32))
    assert vectors_of(table.slice(4)).shape == (0, 128)


def test_a_part_of_another_model_or_of_none_has_no_numbers_and_says_so() -> None:
    old = part().replace_schema_metadata(None)
    without = with_part_schema(old, MEASURES)
    assert without.schema == part_schema(MEASURES)
    for rows in (old, without, with_embedded(part(), "b" * 64)):
        table = embeddings_of(with_part_schema(rows, MEASURES, model=MODEL))
        assert table["embedding"].null_count == 4 and np.isnan(vectors_of(table)).all()
        assert table["no_embedding"].to_pylist() == ["not_computed"] * 4


def test_a_part_without_pictures_or_faces_gives_an_empty_table() -> None:
    for rows in (part().slice(0, 0), part().slice(1, 2)):
        table = embeddings_of(with_part_schema(with_embedded(rows, MODEL), MEASURES, model=MODEL))
        assert len(table) == 0 and table.schema == embedding_schema() and vectors_of(table).shape == (0, 128)

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.tables.counts import Counts, RunningCounts
from facesieve.dataset.tables.merge import merge_parts as merged
from facesieve.dataset.tables.part_rows import PartRows
from facesieve.dataset.tables.schema import face_schema, picture_schema
from facesieve.records import Record
from handmade import MEASURES, photos, record_of, sources_in


@pytest.fixture
def records(tmp_path: Path, astronaut: Path) -> list[Record]:
    return [record_of(source) for source in sources_in(photos(tmp_path, astronaut))]


def merge(parts: list[pa.Table], measures: Sequence[str] = MEASURES) -> tuple[pa.Table, pa.Table]:
    """Both manifests as one table each."""
    blocks = list(merged(lambda columns: parts, measures))
    faces = [face_schema(measures).empty_table(), *(block[0] for block in blocks)]
    pictures = [picture_schema().empty_table(), *(block[1] for block in blocks)]
    return pa.concat_tables(faces), pa.concat_tables(pictures)


def counted(faces: pa.Table, pictures: pa.Table) -> Counts:
    running = RunningCounts()
    running.add(faces, pictures)
    return running.counts()


def part(records: list[Record]) -> pa.Table:
    rows = PartRows(MEASURES, Outputs())
    for record in records:
        rows.add(record, [b"jpeg"] * len(record.faces))
    return rows.part()


def test_no_parts_or_an_empty_part_make_empty_manifests() -> None:
    for parts in ([], [part([])]):
        faces, pictures = merge(parts, MEASURES)
        assert (faces.schema, pictures.schema) == (face_schema(MEASURES), picture_schema())
        assert (len(faces), len(pictures)) == (0, 0)
        assert counted(faces, pictures) == Counts(0, 0, 0, {}, 0, 0, 0, {})


def test_the_order_and_the_size_of_parts_make_no_difference(records: list[Record]) -> None:
    faces, pictures = merge([part(records)], MEASURES)
    pieces = [part([record]) for record in reversed(records)]
    again = merge(pieces, MEASURES)
    assert again[0].equals(faces) and again[1].equals(pictures)


def test_the_last_row_of_an_input_counts(records: list[Record]) -> None:
    old = replace(records[3], faces=())
    assert merge([part([old]), part(records)], MEASURES)[0].equals(merge([part(records)], MEASURES)[0])
    without = merge([part(records), part([old])], MEASURES)[0]
    assert records[3].source.name not in without["source"].to_pylist()


def test_refused_pictures_are_not_duplicates_of_each_other(records: list[Record]) -> None:
    refused = [record for record in records if record.refusal]
    twice = refused + [replace(one, source=replace(one.source, name=one.source.name + "2")) for one in refused]
    _, pictures = merge([part(twice)], MEASURES)
    assert sorted(pictures["refusal"].to_pylist()) == ["empty", "empty", "not_an_image", "not_an_image"]


def test_three_equal_pictures_leave_one(records: list[Record]) -> None:
    record = next(record for record in records if record.faces)
    three = [replace(record, source=replace(record.source, name=name, label="x")) for name in "cab"]
    faces, pictures = merge([part(three)], MEASURES)
    assert pictures["refusal"].to_pylist() == [None, "duplicate", "duplicate"]
    assert pictures["message"].to_pylist() == [None, "The same picture as a.", "The same picture as a."]
    assert set(faces["source"].to_pylist()) == {"a"}
    assert pictures["faces"].to_pylist() == [len(record.faces), 0, 0]


def test_the_counts_add_up_and_one_line_shows_it(records: list[Record]) -> None:
    counts = counted(*merge([part(records)]))
    assert counts.pictures == counts.with_rows + counts.refused == len(records)
    assert counts.refused == sum(counts.refusals.values())
    assert counts.faces == counts.kept + counts.rejected
    assert Counts(120, 117, 3, {"truncated": 2, "empty": 1}, 340, 210, 130, {"blurred": 130, "dark": 4}).line() == (
        "pictures: 120 = 117 read + 3 refused (truncated 2, empty 1)"
        " | faces: 340 = 210 kept + 130 rejected (blurred 130, dark 4)"
    )


def test_two_reasons_of_one_face_count_under_both(records: list[Record]) -> None:
    counts = counted(*merge([part(records)]))
    both = sum(len(face.verdict.reasons) == 2 for record in records if record.faces for face in record.faces)
    assert both > 0
    assert counts.reasons["blurred"] == counts.rejected
    assert 0 < counts.reasons["low_confidence"] <= both
    assert list(counts.reasons) == ["blurred", "low_confidence"], "the most frequent first"

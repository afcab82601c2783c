"""A merge in small pieces has the same result as a merge in memory, written here in a few lines of plain Python."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from facesieve.dataset.tables.merge import merge_parts
from facesieve.dataset.tables.resolve import ResolvedPart, resolve
from facesieve.dataset.tables.schema import part_schema
from facesieve.dataset.tables.shuffle import Shuffle

MEASURES = ("confidence",)
Row = dict[str, Any]


@pytest.fixture(params=["in memory", "on disk"])
def scratch(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files. With "on disk" the limits are so low that every step works in pieces."""
    if request.param == "on disk":
        for module, name, value in (
            ("conflicts", "BUCKET", 3),
            ("conflicts", "SPAN", 5),
            ("resolve", "SPAN", 5),
            ("name_sample", "SPACING", 2),
            ("name_sample", "BLOCK", 6),
            ("shuffle", "MAX_HELD_BYTES", 2000),
            ("shuffle", "MAX_LOOSE_TABLES", 2),
        ):
            monkeypatch.setattr(f"facesieve.dataset.tables.{module}.{name}", value)
    return tmp_path / "scratch"


def row(chance: random.Random, number: int) -> Row:
    """An input with one of few places, names, labels and contents, so that conflicts are frequent."""
    folder, name = chance.choice(["/a", "/b", "/c\n", "/c\\n"]), f"photos/{chance.randrange(12)}.jpg"
    source = chance.choice([name, name, name, f"{folder}/{name}"]).replace("\n", "\\n")
    picture = chance.randrange(8)
    refused = chance.random() < 0.1
    faces = (
        [] if refused else [face(f"{number}-{index}", chance.random() < 0.5) for index in range(chance.randrange(4))]
    )
    return {
        "picture_id": None if refused and chance.random() < 0.5 else f"{picture:064x}",
        "source": source,
        "label": chance.choice("xy"),
        "refusal": "empty" if refused else None,
        "message": "Nothing in it." if refused else None,
        "fingerprint": str(number),
        "identity": f"{folder}/{name}".encode(),
        "faces": faces,
    }


def face(face_id: str, kept: bool) -> Row:
    return {"face_id": face_id, "confidence": 0.5, "kept": kept, "reasons": [] if kept else ["blurred"]}


def expected(rows: Sequence[Row]) -> Iterator[tuple[str, str | None, str | None, list[str]]]:
    """Source, refusal, message and face ids of every picture."""
    last = {one["identity"]: one for one in rows}
    often = Counter(one["source"] for one in last.values())
    taken = {name for name, count in often.items() if count == 1}
    named: dict[str, Row] = {}
    for key in sorted(last):
        name = last[key]["source"]
        if name not in taken or often[name] > 1:
            absolute = os.fsdecode(key).replace("\n", "\\n")
            numbered = [absolute, *(f"{absolute} ({number})" for number in range(2, 99))]
            name = next(one for one in numbered if one not in taken)
            taken.add(name)
        named[name] = last[key]
    first: dict[tuple[str, str], str] = {}
    for name in sorted(named):
        one = named[name]
        if one["refusal"]:
            yield name, one["refusal"], one["message"], []
            continue
        original = first.setdefault((one["label"], one["picture_id"]), name)
        if original == name:
            yield name, None, None, [each["face_id"] for each in one["faces"]]
        else:
            yield name, "duplicate", f"The same picture as {original}.", []


def parts_of(rows: Sequence[Row], chance: random.Random) -> list[pa.Table]:
    cuts = sorted(chance.randrange(len(rows) + 1) for _ in range(chance.randrange(6)))
    pairs = zip([0, *cuts], [*cuts, len(rows)], strict=True)
    return [pa.Table.from_pylist(list(rows[start:end]), schema=part_schema(MEASURES)) for start, end in pairs]


@pytest.mark.parametrize("seed", range(25))
def test_counted_rows_names_and_duplicates_are_those_of_a_plain_merge(seed: int, scratch: Path) -> None:
    chance = random.Random(seed)
    rows = [row(chance, number) for number in range(chance.choice([1, 7, 40, 120]))]
    parts = parts_of(rows, chance)
    found: list[tuple[str, str | None, str | None, list[str]]] = []
    for faces, pictures, _ in merge_parts(lambda columns: parts, MEASURES, scratch):
        of_source: dict[str, list[str]] = {}
        for one in faces.to_pylist():
            of_source.setdefault(one["source"], []).append(one["face_id"])
        for one in pictures.to_pylist():
            ids = of_source.pop(one["source"], [])
            assert one["faces"] == len(ids)
            found.append((one["source"], one["refusal"], one["message"], ids))
        assert of_source == {}, "a block has the pictures of all its faces"
    assert found == list(expected(rows))


@pytest.mark.parametrize("seed", range(5))
def test_the_size_of_parts_changes_nothing(seed: int, scratch: Path) -> None:
    chance = random.Random(seed)
    rows = [row(chance, number) for number in range(60)]
    tables = []
    for _ in range(3):
        parts = parts_of(rows, chance)
        blocks = list(merge_parts(lambda columns, parts=parts: parts, MEASURES, scratch))
        tables.append([pa.concat_tables(column) for column in zip(*(block[:2] for block in blocks), strict=True)])
    assert all(some.equals(others) for one in tables for some, others in zip(one, tables[0], strict=True))


def test_resolved_rows_keep_their_places_in_the_ledger(scratch: Path) -> None:
    chance = random.Random(1)
    rows = [row(chance, number) for number in range(50)]
    parts = parts_of(rows, chance)
    with resolve(lambda columns: parts, scratch) as found:
        settled = list(found.resolved(parts))
    assert [len(part.rows) for part in settled] == [len(part) for part in parts]
    fingerprints = [one for part in settled for one in part.counted_rows["fingerprint"].to_pylist()]
    assert sorted(fingerprints) == sorted({one["identity"]: one["fingerprint"] for one in rows}.values())


def test_rows_without_conflicts_do_not_change(tmp_path: Path) -> None:
    part = pa.Table.from_pylist(
        [{"source": name, "label": "", "picture_id": name, "identity": name.encode(), "faces": []} for name in "ab"],
        schema=part_schema(MEASURES),
    )
    with resolve(lambda columns: [part], tmp_path) as found:
        (settled,) = found.resolved([part])
        assert isinstance(settled, ResolvedPart) and settled.rows is part and settled.counts.all()


def test_buckets_keep_the_order_of_rows_in_memory_and_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    schema = pa.schema([pa.field("n", pa.int64())])
    for held, loose in ((1 << 20, 256), (1 << 20, 3), (50, 256), (200, 2)):
        monkeypatch.setattr("facesieve.dataset.tables.shuffle.MAX_HELD_BYTES", held)
        monkeypatch.setattr("facesieve.dataset.tables.shuffle.MAX_LOOSE_TABLES", loose)
        with Shuffle(schema, tmp_path / "scratch") as shuffle:
            for start in range(0, 40, 4):
                numbers = pa.table({"n": list(range(start, start + 4))}, schema=schema)
                shuffle.add(numbers, (numbers["n"].to_numpy() * 7) % 3)
            assert shuffle.numbers() == [0, 1, 2]
            for bucket in range(3):
                assert shuffle.bucket(bucket)["n"].to_pylist() == [n for n in range(40) if n * 7 % 3 == bucket]
            assert shuffle.bucket(9).num_rows == 0 and shuffle.bucket(9).schema == schema
    assert list((tmp_path / "scratch").iterdir()) == [], "the temporary file has no name"


def test_an_empty_shuffle_has_no_buckets(tmp_path: Path) -> None:
    with Shuffle(part_schema(MEASURES), tmp_path) as shuffle:
        assert shuffle.numbers() == []

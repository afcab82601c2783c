"""The documented columns are the columns."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa
import pytest

from facesieve.dataset.tables.schema import TAR_POSITION, TRACK_RELATIONS, face_schema, picture_schema

DOC = Path(__file__).parents[2] / "docs" / "dataset.md"
OF_CLIPS = "A dataset that has clips has these columns too"


def documented(title: str, part: int = 0) -> list[tuple[str, str]]:
    """Name and type of each column in the table below a heading, in order. part: 1 for the columns of clips."""
    section = DOC.read_text(encoding="utf-8").split(f"## {title}\n")[1].split("\n## ")[0].split(f"\n{OF_CLIPS}")[part]
    rows = [line.split("|")[1:3] for line in section.splitlines() if line.startswith("| `")]
    return [(name, kind.strip()) for names, kind in rows for name in re.findall(r"`(\w+)`", names)]


def typed(schema: pa.Schema) -> list[tuple[str, str]]:
    kinds = {pa.list_(pa.string()): "list of string"}
    return [(field.name, kinds.get(field.type, str(field.type))) for field in schema]


@pytest.mark.parametrize(
    ("title", "schema"),
    [
        ("faces.parquet", face_schema([])),
        ("pictures.parquet", picture_schema()),
        ("Tar shards", pa.schema(list(TAR_POSITION))),
    ],
)
def test_the_documented_columns_are_the_columns(title: str, schema: pa.Schema) -> None:
    assert documented(title) == typed(schema)


@pytest.mark.parametrize(
    ("title", "plain", "with_clips"),
    [
        ("faces.parquet", face_schema([]), face_schema(TRACK_RELATIONS, clips=True)),
        ("pictures.parquet", picture_schema(), picture_schema(clips=True)),
    ],
)
def test_the_documented_columns_of_clips_are_those_that_clips_add(
    title: str, plain: pa.Schema, with_clips: pa.Schema
) -> None:
    added = [column for column in typed(with_clips) if column not in typed(plain)]
    assert documented(title, 1) == added and added


def test_every_other_measure_is_between_blur_and_kept() -> None:
    names = face_schema(["confidence", "blur", "Sharpness", "InterEyeDistance"]).names
    assert names[names.index("blur") :] == [
        "blur",
        "Sharpness",
        "InterEyeDistance",
        "kept",
        "reasons",
        "file_name",
        "crop_hash",
    ]
    assert names.count("confidence") == 1

"""The columns of the manifests, in order."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

POINTS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
BOX = ("box_x", "box_y", "box_w", "box_h")
LANDMARKS = tuple(f"{point}_{axis}" for point in POINTS for axis in "xy")
LEADING = ("confidence", "pitch", "yaw", "roll", "blur")


def measure_columns(measures: Iterable[str]) -> tuple[str, ...]:
    """The columns of raw numbers: the leading five, then every other measure in the given order."""
    return LEADING + tuple(name for name in measures if name not in LEADING)


def face_fields(measures: Iterable[str]) -> list[pa.Field]:
    """What is known of a face without its picture; null numbers were not measured."""
    numbers = (*BOX, *LANDMARKS, *measure_columns(measures))
    return [
        pa.field("face_id", pa.string()),
        *(pa.field(name, pa.float64()) for name in numbers),
        pa.field("kept", pa.bool_()),
        pa.field("reasons", pa.list_(pa.string())),
        pa.field("file_name", pa.string()),
    ]


def face_schema(measures: Iterable[str]) -> pa.Schema:
    """`faces.parquet`: one row per face, kept or not."""
    face_id, *rest = face_fields(measures)
    return pa.schema([face_id, *(pa.field(name, pa.string()) for name in ("picture_id", "source", "label")), *rest])


PICTURE_FIELDS = (
    pa.field("picture_id", pa.string()),
    pa.field("source", pa.string()),
    pa.field("label", pa.string()),
    pa.field("width", pa.int32()),
    pa.field("height", pa.int32()),
    pa.field("format", pa.string()),
    pa.field("turn", pa.int32()),
)
# Columns of pictures that datasets of earlier versions do not have; there they are read as null.
LATER = ("turn",)
REFUSAL_FIELDS = (pa.field("refusal", pa.string()), pa.field("message", pa.string()))


def picture_schema() -> pa.Schema:
    """`pictures.parquet`: one row per input, refused or not."""
    counts = [pa.field("faces", pa.int32()), pa.field("kept", pa.int32())]
    return pa.schema([*PICTURE_FIELDS, *counts, *REFUSAL_FIELDS])


def part_schema(measures: Iterable[str]) -> pa.Schema:
    """One part of the ledger: a row per input, with its faces inside and the evidence of what was read.

    `identity` tells inputs apart; it is null in rows that version 0.1.0 wrote, where `source` does.
    """
    faces = pa.list_(pa.struct(face_fields(measures)))
    evidence = [pa.field("fingerprint", pa.string()), pa.field("identity", pa.binary())]
    return pa.schema([*PICTURE_FIELDS, *REFUSAL_FIELDS, *evidence, pa.field("faces", faces)])


def with_later_columns(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with the columns of `LATER` that it lacks as nulls, at the place that the schema has for them."""
    for name in LATER:
        if name in schema.names and name not in table.column_names:
            field = schema.field(name)
            table = table.add_column(schema.get_field_index(name), field, pa.nulls(len(table), field.type))
    return table


THUMB_SCHEMA = pa.schema([pa.field("face_id", pa.string()), pa.field("jpeg", pa.binary())])

"""Records become rows: nested ones for the ledger, where a picture and its faces are committed together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from facesieve.dataset.encode import thumbnail
from facesieve.dataset.files import Outputs
from facesieve.dataset.layout import crop_name
from facesieve.dataset.names import plain
from facesieve.dataset.schema import BOX, LANDMARKS, THUMB_SCHEMA, measure_columns, part_schema
from facesieve.records import Face, Record


def part_of(records: Sequence[Record], measures: Sequence[str], outputs: Outputs) -> pa.Table:
    """The rows of a ledger part: one a record, in the given order."""
    rows = [_picture(record, measures, outputs) for record in records]
    return pa.Table.from_pylist(rows, schema=part_schema(measures))


def thumbs_of(records: Sequence[Record]) -> pa.Table:
    """Small pictures of all faces, kept or not, for the contact sheet."""
    faces = [face for record in records for face in record.faces]
    columns = [[face.face_id for face in faces], [thumbnail(face.crop) for face in faces]]
    return pa.table(columns, schema=THUMB_SCHEMA)


def _picture(record: Record, measures: Sequence[str], outputs: Outputs) -> dict[str, Any]:
    seen = record.photo or record.refusal
    assert seen is not None  # a record is one or the other
    refusal = record.refusal
    return {
        "picture_id": seen.picture_id or None,
        "source": plain(record.source.name),
        "label": plain(record.source.label),
        "width": seen.width or None,
        "height": seen.height or None,
        "format": seen.format or None,
        "refusal": str(refusal.code) if refusal else None,
        "message": plain(refusal.message) if refusal else None,
        "fingerprint": record.source.fingerprint,
        "faces": [_face(face, record.source.label, measures, outputs) for face in record.faces],
    }


def _face(face: Face, label: str, measures: Sequence[str], outputs: Outputs) -> dict[str, Any]:
    known = {**face.measures, "confidence": face.confidence}
    written = outputs.writes(face.verdict.kept)
    return {
        "face_id": face.face_id,
        **dict(zip(BOX, map(float, face.box), strict=True)),
        **dict(zip(LANDMARKS, face.landmarks.ravel().tolist(), strict=True)),
        **{name: _number(known.get(name)) for name in measure_columns(measures)},
        "kept": face.verdict.kept,
        "reasons": list(face.verdict.reasons),
        "file_name": crop_name(label, face.face_id, face.verdict.kept) if written else None,
    }


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)

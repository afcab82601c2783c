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
from facesieve.records import Face, Record, displayed


class Rows:
    """The rows of one ledger part as they come up. What is kept of a record is small: its picture may go.

    measures: names of the columns of raw numbers, in order.
    """

    def __init__(self, measures: Sequence[str], outputs: Outputs) -> None:
        self._measures, self._outputs = measures, outputs
        self._pictures: list[dict[str, Any]] = []
        self._thumbs: list[tuple[str, bytes]] = []

    def add(self, record: Record) -> None:
        """The next picture, with its faces."""
        self._pictures.append(_picture(record, self._measures, self._outputs))
        self._thumbs += [(face.face_id, thumbnail(face.crop)) for face in record.faces]

    def part(self) -> pa.Table:
        """One row a picture, in the order added."""
        return pa.Table.from_pylist(self._pictures, schema=part_schema(self._measures))

    def thumbs(self) -> pa.Table:
        """Small pictures of all faces, kept or not, for the contact sheet."""
        ids, jpegs = [face_id for face_id, _ in self._thumbs], [jpeg for _, jpeg in self._thumbs]
        return pa.table([ids, jpegs], schema=THUMB_SCHEMA)


def _picture(record: Record, measures: Sequence[str], outputs: Outputs) -> dict[str, Any]:
    seen = record.photo or record.refusal
    assert seen is not None  # a record is one or the other
    refusal = record.refusal
    return {
        "picture_id": seen.picture_id or None,
        "source": displayed(record.source.name),
        "label": plain(record.source.label),
        "width": seen.width or None,
        "height": seen.height or None,
        "format": seen.format or None,
        "turn": record.photo.turn if record.photo else None,
        "refusal": str(refusal.code) if refusal else None,
        "message": plain(refusal.message) if refusal else None,
        "fingerprint": record.source.fingerprint,
        "identity": record.source.key,
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

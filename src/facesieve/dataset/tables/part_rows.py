"""The rows of a ledger part: one row per picture, with its faces nested inside, so that they are written together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa

from facesieve.dataset.disk.checksums import Checksum
from facesieve.dataset.disk.format import with_embedded
from facesieve.dataset.disk.names import normalized_text
from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.disk.picture_names import crop_name, member_name
from facesieve.dataset.tables.schema import (
    BOX,
    CROP_HASH,
    LANDMARKS,
    THUMB_SCHEMA,
    TRACK_RELATIONS,
    measure_columns,
    part_schema,
)
from facesieve.records import Face, NoEmbedding, Photo, Record, displayed


class PartRows:
    """Collects the rows of one ledger part. It keeps no pixels, so the picture of a record can be freed.

    measures: the names of the measure columns, in order. model: sha256 of the model that computes embeddings of the
    faces; "" for none.
    """

    def __init__(self, measures: Sequence[str], outputs: Outputs, model: str = "") -> None:
        self._measures, self._outputs, self._model = measures, outputs, model
        self._pictures: list[dict[str, Any]] = []
        self._clips: dict[int, pa.StructArray] = {}  # the faces of those rows that are clips
        self._thumbs: list[tuple[str, bytes]] = []

    def add(
        self, record: Record, thumbnails: Sequence[bytes], crops: Mapping[str, Checksum] = MappingProxyType({})
    ) -> None:
        """Add a picture with its faces.

        thumbnails: one small JPEG per face, in order. crops: the crops that are members of a tar file, by name.
        """
        self._pictures.append(_picture(record, self._measures, self._outputs, crops))
        if self._model:
            for face, row in zip(record.faces, self._pictures[-1]["faces"], strict=True):
                row |= embedding_values(face, row["file_name"] is not None)
        self._thumbs += [(face.face_id, jpeg) for face, jpeg in zip(record.faces, thumbnails, strict=True)]

    def add_clip(self, last: Record, faces: pa.StructArray, thumbnails: Sequence[tuple[str, bytes]]) -> None:
        """Add a clip with the faces of all its frames; see `ClipRows`.

        last: the record of its last frame. thumbnails: face ids with one small JPEG each, for some of the faces.
        """
        row = _picture(replace(last, faces=()), self._measures, self._outputs, {})
        self._clips[len(self._pictures)] = faces
        self._pictures.append(row)
        self._thumbs += thumbnails

    def part(self) -> pa.Table:
        """One row per picture, in the order in which they were added; see `part_schema`."""
        if self._clips:
            part = self._with_clips()
        else:
            schema = part_schema(self._measures, self._outputs.in_tars, bool(self._model))
            part = pa.Table.from_pylist(self._pictures, schema=schema)
        return with_embedded(part, self._model) if self._model else part

    def _with_clips(self) -> pa.Table:
        """The part of a shard that has clips, whose faces are an array already, because there may be many."""
        measures = (*self._measures, *TRACK_RELATIONS)
        schema = part_schema(measures, self._outputs.in_tars, bool(self._model), clips=True)
        *plain, faces = schema
        rows = pa.Table.from_pylist(self._pictures, schema=pa.schema(plain))
        kind = faces.type.value_type
        arrays = [
            self._clips[at] if at in self._clips else pa.array(row["faces"], kind)
            for at, row in enumerate(self._pictures)
        ]
        offsets = np.cumsum([0, *map(len, arrays)], dtype=np.int32)
        lists = pa.ListArray.from_arrays(pa.array(offsets), pa.concat_arrays(arrays), type=faces.type)
        return rows.append_column(faces, lists)

    def thumbs(self) -> pa.Table:
        """The thumbnails of all faces, kept or not, for the contact sheet; see `THUMB_SCHEMA`."""
        ids, jpegs = [face_id for face_id, _ in self._thumbs], [jpeg for _, jpeg in self._thumbs]
        return pa.table([ids, jpegs], schema=THUMB_SCHEMA)


def _picture(
    record: Record, measures: Sequence[str], outputs: Outputs, crops: Mapping[str, Checksum]
) -> dict[str, Any]:
    seen = record.photo or record.refusal
    assert seen is not None  # a record has either a photo or a refusal
    refusal = record.refusal
    return {
        "picture_id": seen.picture_id or None,
        "source": displayed(record.source.name),
        "label": normalized_text(record.source.label),
        "width": seen.width or None,
        "height": seen.height or None,
        "format": seen.format or None,
        "turn": record.photo.turn if record.photo else None,
        "refusal": str(refusal.code) if refusal else None,
        "message": normalized_text(refusal.message) if refusal else None,
        "fingerprint": record.source.fingerprint,
        "identity": record.source.key,
        "faces": [face_values(face, record.source.label, measures, outputs, crops) for face in record.faces],
        **(_clip(record.photo) if record.photo and record.photo.clip else {}),
    }


def _clip(photo: Photo) -> dict[str, Any]:
    clip = photo.clip
    assert clip is not None
    return asdict(clip) | {"truncated": clip.truncated or None}


def face_values(
    face: Face, label: str, measures: Sequence[str], outputs: Outputs, crops: Mapping[str, Checksum]
) -> dict[str, Any]:
    """The columns of one face of a ledger part."""
    known = {**face.measures, "confidence": face.confidence}
    written = outputs.writes(face.verdict.kept)
    return {
        "face_id": face.face_id,
        **({"frame": face.frame, "time": face.time, "track": face.track} if face.time is not None else {}),
        **dict(zip(BOX, map(float, face.box), strict=True)),
        **dict(zip(LANDMARKS, face.landmarks.ravel().tolist(), strict=True)),
        **{name: _number(known.get(name)) for name in measure_columns(measures)},
        "kept": face.verdict.kept,
        "reasons": list(face.verdict.reasons),
        "file_name": _file_name(face, label, outputs) if written else None,
        CROP_HASH: face.crop_hash or None,
        "crops": [asdict(crops[name]) for name in _members(face, label, outputs)] if written else [],
    }


def _file_name(face: Face, label: str, outputs: Outputs) -> str:
    if outputs.in_tars:
        return member_name(label, face.face_id)
    return crop_name(label, face.face_id, face.verdict.kept)


def _members(face: Face, label: str, outputs: Outputs) -> list[str]:
    whats = ("", *outputs.cuts) if outputs.in_tars else ()
    return [member_name(label, face.face_id, what) for what in whats]


def embedding_values(face: Face, written: bool) -> dict[str, bytes | str | None]:
    """The values of `EMBEDDING_FIELDS`. Only faces whose crop is written have an embedding."""
    if not written:
        return {"embedding": None, "no_embedding": NoEmbedding.NO_CROP.value}
    numbers = None if face.embedding is None else face.embedding.astype("<f2").tobytes()
    return {"embedding": numbers, "no_embedding": face.no_embedding or None}


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)

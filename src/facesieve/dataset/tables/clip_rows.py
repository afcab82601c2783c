"""The faces of one clip as an Arrow array that grows with its frames, so that a face takes less than a kilobyte."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.tables.part_rows import embedding_values, face_values
from facesieve.dataset.tables.schema import BOX, CROP_HASH, TRACK_RELATIONS, part_schema
from facesieve.records import EMBEDDING_SIZE, Floats, Floats32, Measures, Pixels, Record

_AT_ONCE = 512  # faces that are held as values, which take more memory
HASH_BYTES = 32


class ClipRows:
    """Collects the faces of one clip. measures, outputs, model: those of `PartRows`."""

    def __init__(self, measures: Sequence[str], outputs: Outputs, model: str = "") -> None:
        self._measures, self._outputs, self._model = (*measures, *TRACK_RELATIONS), outputs, model
        schema = part_schema(self._measures, outputs.in_tars, bool(model), clips=True)
        self._type = schema.field("faces").type.value_type
        self._values, self._arrays = list[dict[str, Any]](), list[pa.StructArray]()

    def add(self, record: Record) -> None:
        """Add the faces of a frame. Their verdicts, tracks and file names are not final yet."""
        for face in record.faces:
            row = face_values(face, record.source.label, self._measures, Outputs(), {})
            if self._model:
                row |= embedding_values(face, self._outputs.writes(face.verdict.kept))
            self._values.append(row)
        if len(self._values) >= _AT_ONCE:
            self._pack()

    def faces(self) -> pa.StructArray:
        """The faces of all frames so far, in order."""
        self._pack()
        return pa.concat_arrays(self._arrays)

    def _pack(self) -> None:
        self._arrays.append(pa.array(self._values, self._type))
        self._values = []


def with_lone_tracks(faces: pa.Table) -> pa.Table:
    """The rows of faces with 1 in the relations of tracks for every face of a still picture, a track of its own."""
    import pyarrow.compute as pc  # late, so that a build's workers start sooner

    still = pc.is_null(faces["track"])
    for name in TRACK_RELATIONS:
        at = faces.schema.get_field_index(name)
        faces = faces.set_column(at, faces.schema.field(at), pc.if_else(still, 1.0, faces[name]))
    return faces


def with_columns(faces: pa.StructArray, columns: Mapping[str, Sequence[Any] | pa.Array]) -> pa.StructArray:
    """The faces with other values in some of their columns; columns that they do not have are left out."""
    arrays = [
        pa.array(columns[field.name], field.type) if field.name in columns else faces.field(field.name)
        for field in faces.type
    ]
    return pa.StructArray.from_arrays(arrays, fields=list(faces.type))


def numbers_of(faces: pa.StructArray, name: str) -> Floats:
    """(N,) float64 one column of the faces; NaN for null."""
    return np.asarray(faces.field(name).cast(pa.float64()).fill_null(np.nan))


def boxes_of(faces: pa.StructArray) -> Floats:
    """(N, 4) x, y, w, h in pixels."""
    return np.stack([numbers_of(faces, name) for name in BOX], axis=1)


def measures_of(faces: pa.StructArray, names: Sequence[str]) -> Measures:
    """The measures of these names."""
    return Measures({name: numbers_of(faces, name) for name in names})


def hashes_of_faces(faces: pa.StructArray) -> Pixels:
    """(N, 32) uint8 the hashes of the crops; zeros for a face without one."""
    data = b"".join(faces.field(CROP_HASH).fill_null(bytes(HASH_BYTES)).to_pylist())
    return np.frombuffer(data, np.uint8).reshape(-1, HASH_BYTES)


def vectors_of_faces(faces: pa.StructArray) -> Floats32 | None:
    """(N, 128) the embeddings, NaN for a face without one; None if none were computed."""
    if faces.type.get_field_index("embedding") < 0:
        return None
    held = faces.field("embedding")
    vectors = np.full((len(faces), EMBEDDING_SIZE), np.nan, np.float32)
    there = np.asarray(held.is_valid())
    vectors[there] = np.frombuffer(b"".join(held.drop_null().to_pylist()), "<f2").reshape(-1, EMBEDDING_SIZE)
    return vectors

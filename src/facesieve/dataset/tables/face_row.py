"""One row of the manifest of faces, as a typed value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from facesieve.dataset.tables.schema import BOX, LANDMARKS


@dataclass(frozen=True, slots=True)
class FaceRow:
    """One row of `faces`.

    box: x, y, w, h in pixels of the upright picture. landmarks: x, y of the five points, in the order of `LANDMARKS`.
    measures: raw numbers by name; None means not measured. reasons: why the face was rejected.
    file_name: the aligned crop, relative to the dataset; None if none was written. If the crops are in tar files, it is
    a name in the file `shard`, and the crop has `size` bytes at `offset` of that file.
    frame, time, track: of a face in a clip; None for a face of a still picture.
    """

    face_id: str
    picture_id: str
    source: str
    label: str
    box: tuple[float, ...]
    landmarks: tuple[float, ...]
    measures: Mapping[str, float | None]
    kept: bool
    reasons: tuple[str, ...]
    file_name: str | None
    shard: str | None = None
    offset: int | None = None
    size: int | None = None
    frame: int | None = None
    time: float | None = None
    track: int | None = None

    @property
    def crop(self) -> str | None:
        """Where the aligned crop is, for people; None if none was written."""
        return f"{self.shard}: {self.file_name}" if self.shard else self.file_name

    def as_json(self) -> dict[str, Any]:
        """The columns of the row that are not measures, as JSON values."""
        return {
            "face_id": self.face_id,
            "picture_id": self.picture_id,
            "source": self.source,
            "label": self.label,
            **dict(zip(BOX, self.box, strict=True)),
            **dict(zip(LANDMARKS, self.landmarks, strict=True)),
            "kept": self.kept,
            "reasons": list(self.reasons),
            "file_name": self.file_name,
            **({} if self.frame is None else {"frame": self.frame, "time": self.time, "track": self.track}),
            **({"shard": self.shard, "offset": self.offset, "size": self.size} if self.shard else {}),
        }


def face_rows(faces: pa.Table, measures: tuple[str, ...]) -> Iterator[FaceRow]:
    """Yield the rows of a table of faces. measures: the names of the measure columns."""
    for row in faces.to_pylist():
        yield FaceRow(
            face_id=row["face_id"],
            picture_id=row["picture_id"],
            source=row["source"],
            label=row["label"],
            box=tuple(row[name] for name in BOX),
            landmarks=tuple(row[name] for name in LANDMARKS),
            measures={name: row[name] for name in measures},
            kept=row["kept"],
            reasons=tuple(row["reasons"]),
            file_name=row["file_name"],
            shard=row.get("shard"),
            offset=row.get("offset"),
            size=row.get("size"),
            frame=row.get("frame"),
            time=row.get("time"),
            track=row.get("track"),
        )

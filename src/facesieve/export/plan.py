"""The batches of an export: which faces are written together, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from facesieve.dataset.manifests import Manifests
from facesieve.dataset.tables.schema import BOX, LANDMARKS
from facesieve.dataset.tables.shuffle import Shuffle
from facesieve.export.format import Batch, ExportFormat
from facesieve.export.images import ImageFormat
from facesieve.export.labels import class_names
from facesieve.export.selection import Selection
from facesieve.export.spec import ExportSpec
from facesieve.records import Integers

_POSITION = pa.field("position", pa.int64())
CLASS, FOLDER = pa.field("class", pa.int64()), pa.field("folder", pa.string())


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """An export before it is written: everything that a writer or a reader of a format may ask.

    size: the side of its pictures in pixels. batch: the most faces in a batch. folder: where the source
    pictures are now; None if they have not moved. scratch: a folder for temporary files;
    None uses that of the system.
    """

    dataset: Manifests
    spec: ExportSpec
    kind: ExportFormat
    selection: Selection
    size: int
    batch: int
    folder: Path | None = None
    scratch: Path | None = None

    @property
    def image(self) -> ImageFormat:
        """How its pictures are encoded."""
        return ImageFormat.parse(self.spec.image)

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits, in order."""
        return tuple(split.name for split in self.selection.splits)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of a face that formats hand on: none of them says where a picture came from."""
        verdict = ("kept", "reasons") if self.spec.rejected or self.kind.whole_pictures else ()
        return ("face_id", "picture_id", *BOX, *LANDMARKS, *self.dataset.names, *verdict)

    @property
    def names(self) -> list[str]:
        """The name of each class, by its number."""
        return class_names(self.selection.labels)

    def start(self, split: str) -> int:
        """The position of the first face of a split."""
        counts = list(self.selection.counts.values())
        return sum(counts[: self.splits.index(split)])

    def taken_ids(self) -> Iterator[pa.Table]:
        """Yield the column `face_id` of the faces that are taken, some at a time, in the order of the dataset."""
        first = 0
        for rows in self.dataset.face_tables(["face_id"]):
            yield rows.filter(pa.array(self.selection.taken[first : first + len(rows)]))
            first += len(rows)

    def batches(self) -> Iterator[Batch]:
        """Yield the batches, one split after the other. At most one batch of rows is in memory, or some 64 MB."""
        schema = pa.schema([*self.dataset.about.origin.face_schema, CLASS, FOLDER, _POSITION])
        starts = np.cumsum([0, *self.selection.counts.values()])
        with Shuffle(schema, self.scratch) as rows:
            for table, positions in self._placed():
                split = np.searchsorted(starts[1:], positions, side="right")
                first = np.concatenate([[0], np.cumsum(-(-np.diff(starts) // self.batch))])
                rows.add(table.cast(schema), first[split] + (positions - starts[split]) // self.batch)
            numbers = (
                (name, number)
                for name, count in self.selection.counts.items()
                for number in range(-(-count // self.batch))
            )
            for bucket, (name, number) in enumerate(numbers):
                found = rows.bucket(bucket).sort_by("position")
                yield Batch(name, number, number * self.batch, found.drop_columns("position"))

    def _placed(self) -> Iterator[tuple[pa.Table, Integers]]:
        """Yield the rows that are taken, some at a time, with their classes and their positions in the export."""
        first, folders = 0, pa.array(self.selection.folders, pa.string())
        for rows in self.dataset.face_tables():
            part = slice(first, first + len(rows))
            first = part.stop
            taken = np.flatnonzero(self.selection.taken[part])
            if not len(taken):
                continue
            positions, number = (column[part][taken] for column in (self.selection.position, self.selection.number))
            rows = rows.take(pa.array(taken))
            for known, values in (
                (CLASS, pa.array(number)),
                (FOLDER, folders.take(pa.array(number))),
                (_POSITION, pa.array(positions)),
            ):
                rows = rows.append_column(known, values)
            yield rows, positions

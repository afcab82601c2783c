"""A finished dataset, read back: its manifests as tables, and their numbers as measures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.about import read_about
from facesieve.dataset.layout import Layout
from facesieve.dataset.schema import face_schema, measure_columns, picture_schema, with_later_columns
from facesieve.dataset.sums import Sum, read_sums
from facesieve.dataset.tables import read_table
from facesieve.errors import DatasetError, UsageError
from facesieve.records import Measures


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a build published: what made it (`dataset.json`), and the rows of `faces` and `pictures`."""

    layout: Layout
    about: dict[str, Any]
    faces: pa.Table
    pictures: pa.Table

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of raw numbers."""
        return measure_columns(self.about["measures"])

    def measures(self) -> Measures:
        """Every raw number of every face, (N,) float64 by name; null becomes NaN."""
        columns = {name: self.faces[name].combine_chunks() for name in self.names}
        return Measures({name: np.asarray(column.fill_null(np.nan), np.float64) for name, column in columns.items()})

    def face(self, prefix: str) -> dict[str, Any]:
        """The row of the face whose id begins so. Raises UsageError when it is none or more than one."""
        # Arrow takes no text with bytes that are no UTF-8, and no id has any.
        wanted = prefix.lower() if prefix.isascii() else "?"
        rows = self.faces.filter(pc.starts_with(self.faces["face_id"], wanted))
        ids = sorted(set(rows["face_id"].to_pylist()))
        if not ids:
            raise UsageError("no_such_face", f"No face of {self.layout.root} has an id that begins with {prefix!r}.")
        if len(ids) > 1:
            raise UsageError("ambiguous_face", f"{len(ids)} faces begin with {prefix!r}: {', '.join(ids[:5])}.")
        row: dict[str, Any] = rows.slice(0, 1).to_pylist()[0]
        return row


def read(root: Path) -> Dataset:
    """Open a dataset. Raises DatasetError when the folder is none, unfinished or damaged."""
    layout = Layout(root)
    if layout.made.exists() and not layout.about.exists():
        raise DatasetError("unfinished", f"{root} is unfinished; run the same build again to finish it.")
    sums = read_sums(layout.published_sums)

    def known(path: Path) -> frozenset[Sum]:
        return sums.get(layout.name_of(path), frozenset())

    about = read_about(layout.about, known(layout.about))
    faces = read_table(layout.faces, known=known(layout.faces))
    pictures = read_table(layout.pictures, known=known(layout.pictures))
    try:
        pictures = with_later_columns(pictures, picture_schema())
        return Dataset(layout, about, faces.cast(face_schema(about["measures"])), pictures.cast(picture_schema()))
    except (KeyError, TypeError, ValueError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise DatasetError("damaged_dataset", f"The files of {root} do not fit each other; build it again.") from error

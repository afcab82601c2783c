"""A finished dataset, read back: its manifests as tables, and their numbers as measures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.about import About, read_about
from facesieve.dataset.layout import Layout
from facesieve.dataset.schema import face_schema, measure_columns, picture_schema, with_later_columns
from facesieve.dataset.sums import Sum, read_sums
from facesieve.dataset.tables import read_table
from facesieve.errors import DatasetError, UsageError
from facesieve.records import Measures


@dataclass(frozen=True, slots=True)
class Manifests:
    """What a build published: what made it (`dataset.json`), and the rows of `faces` and `pictures`."""

    layout: Layout
    about: About
    faces: pa.Table
    pictures: pa.Table

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of raw numbers."""
        return measure_columns(self.about.origin.measures)

    def measures(self) -> Measures:
        """Every raw number of every face, (N,) float64 by name; null becomes NaN."""
        columns = {name: self.faces[name].combine_chunks() for name in self.names}
        return Measures({name: np.asarray(column.fill_null(np.nan), np.float64) for name, column in columns.items()})

    def face(self, prefix: str) -> list[dict[str, Any]]:
        """The rows of the face whose id begins so: one for each label that its picture is under.

        Raises UsageError when no face or more than one begins so.
        """
        rows = self.faces.filter(pc.starts_with(self.faces["face_id"], prefix.lower()))
        ids = sorted(set(rows["face_id"].to_pylist()))
        if not ids:
            raise UsageError("no_such_face", f"No face of {self.layout.root} has an id that begins with {prefix!r}.")
        if len(ids) > 1:
            raise UsageError("ambiguous_face", f"{len(ids)} faces begin with {prefix!r}: {', '.join(ids[:5])}.")
        found: list[dict[str, Any]] = rows.to_pylist()
        return found


def read(root: Path) -> Manifests:
    """Read a dataset's manifests. Raises DatasetError when the folder is none, unfinished or damaged."""
    layout = Layout(root)
    if layout.made.exists() and not layout.about.exists():
        raise DatasetError("unfinished", f"{root} is unfinished; run the same build again to finish it.")
    sums = read_sums(layout.published_sums)

    def known(path: Path) -> frozenset[Sum]:
        return sums.get(layout.name_of(path), frozenset())

    about = read_about(layout, known(layout.about))
    faces = read_table(layout.faces, known=known(layout.faces))
    pictures = read_table(layout.pictures, known=known(layout.pictures))
    try:
        schema = face_schema(about.origin.measures)
        faces = with_later_columns(faces, schema).cast(schema)
        pictures = with_later_columns(pictures, picture_schema()).cast(picture_schema())
        return Manifests(layout, about, faces, pictures)
    except (KeyError, TypeError, ValueError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise DatasetError("damaged_dataset", f"The files of {root} do not fit each other; build it again.") from error

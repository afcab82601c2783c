"""A finished dataset, read back: its manifests as tables, all at once or some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.about import About, read_about
from facesieve.dataset.former import with_current_reasons
from facesieve.dataset.layout import Layout
from facesieve.dataset.row_stream import RowStream
from facesieve.dataset.schema import face_schema, measure_columns, picture_schema, with_later_columns
from facesieve.dataset.sums import Sums, read_sums
from facesieve.dataset.tables import damaged, missing, read_groups, schema_of
from facesieve.errors import DatasetError, UsageError
from facesieve.records import Measures

BLOCK = 32_768  # pictures and faces that are handled together
MANY = 1000  # ids that are collected to say how many begin alike


@dataclass(frozen=True, slots=True)
class Manifests:
    """What a build published: what made it (`dataset.json`), and the rows of `faces` and `pictures`.

    sums: of the published files, which were compared with them when the dataset was opened.
    """

    layout: Layout
    about: About
    sums: Sums

    @property
    def names(self) -> tuple[str, ...]:
        """The columns of raw numbers."""
        return measure_columns(self.about.origin.measures)

    @property
    def faces(self) -> pa.Table:
        """All rows of `faces`, in memory."""
        return _joined(self.face_tables(), face_schema(self.about.origin.measures))

    @property
    def pictures(self) -> pa.Table:
        """All rows of `pictures`, in memory."""
        return _joined(self.picture_tables(), picture_schema())

    def face_tables(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The rows of `faces` with some or all columns, a group at a time. Raises DatasetError where it is damaged."""
        return self._tables(self.layout.faces, face_schema(self.about.origin.measures), columns)

    def picture_tables(self) -> Iterator[pa.Table]:
        """The rows of `pictures`, a group at a time. Raises DatasetError where they are damaged."""
        return self._tables(self.layout.pictures, picture_schema())

    def blocks(self) -> Iterator[tuple[pa.Table, pa.Table]]:
        """Faces and pictures of the same sources, in order, some thousands at a time.

        Raises DatasetError where the two do not fit each other.
        """
        faces = RowStream(self.face_tables(), face_schema(self.about.origin.measures))
        for group in self.picture_tables():
            ends = np.cumsum(np.asarray(group["faces"].combine_chunks().fill_null(0)).astype(np.int64) + 1)
            cuts = [0, *(np.flatnonzero(np.diff(ends // BLOCK)) + 1).tolist(), len(group)]
            for start, end in pairwise(cuts):
                pictures = group.slice(start, end - start)
                owner = np.repeat(np.arange(len(pictures)), np.asarray(pictures["faces"]))
                theirs = faces.take(len(owner))
                if not theirs["source"].equals(pictures["source"].take(pa.array(owner))):
                    raise _misfit(self.layout.root)
                yield theirs, pictures
        if not faces.ended():
            raise _misfit(self.layout.root)

    def measures(self, faces: pa.Table) -> Measures:
        """Every raw number of these rows of faces, (N,) float64 by name; null becomes NaN."""
        columns = {name: faces[name].combine_chunks() for name in self.names}
        return Measures({name: np.asarray(column.fill_null(np.nan), np.float64) for name, column in columns.items()})

    def face(self, prefix: str) -> list[dict[str, Any]]:
        """The rows of the face whose id begins so: one for each label that its picture is under.

        Raises UsageError when no face or more than one begins so.
        """
        found, ids = list[dict[str, Any]](), set[str]()
        # Arrow takes no text with bytes that are no UTF-8, and no id has any.
        wanted = prefix.lower() if prefix.isascii() else "?"
        for rows in self.face_tables():
            fitting = rows.filter(pc.starts_with(rows["face_id"], wanted))
            ids.update(pc.unique(fitting["face_id"]).to_pylist()[: MANY + 1])
            if len(ids) == 1:
                found += fitting.to_pylist()
            if len(ids) > MANY:
                break
        if not ids:
            raise UsageError("no_such_face", f"No face of {self.layout.root} has an id that begins with {prefix!r}.")
        if len(ids) > 1:
            number = f"More than {MANY}" if len(ids) > MANY else f"{len(ids)}"
            some = ", ".join(sorted(ids)[:5])
            raise UsageError("ambiguous_face", f"{number} faces begin with {prefix!r}: {some}.")
        return found

    def _tables(self, manifest: Path, schema: pa.Schema, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        wanted = schema if columns is None else pa.schema([schema.field(name) for name in columns])
        for path in self.layout.files_of(manifest):
            for rows in read_groups(path, columns, trusted=self.layout.name_of(path) in self.sums):
                yield _as(rows, wanted, self.layout.root)


def read(root: Path) -> Manifests:
    """Open a dataset's manifests. Raises DatasetError when the folder is none, unfinished or damaged."""
    layout = Layout(root)
    if layout.made.exists() and not layout.about.exists():
        raise DatasetError("unfinished", f"{root} is unfinished; run the same build again to finish it.")
    return manifests_of(layout, read_sums(layout.published_sums))


def manifests_of(layout: Layout, sums: Sums) -> Manifests:
    """As `read`, where it is known which sums the published files have."""
    about = read_about(layout, sums.get(layout.name_of(layout.about), frozenset()))
    schemas = {layout.faces: face_schema(about.origin.measures), layout.pictures: picture_schema()}
    for manifest, schema in schemas.items():
        for path in files_of_manifest(layout, manifest, sums):
            held = schema_of(path, sums.get(layout.name_of(path), frozenset()))
            _as(held.empty_table(), schema, layout.root)
    return Manifests(layout, about, sums)


def files_of_manifest(layout: Layout, manifest: Path, sums: Sums) -> list[Path]:
    """The files of a manifest. Raises DatasetError when they are not those that were published."""
    paths = layout.files_of(manifest)
    name = layout.name_of(manifest)
    published = {one for one in sums if one == name or one.startswith(f"{name}/")}
    there = {layout.name_of(path) for path in paths}
    if published and published != there:
        odd = min(published ^ there)
        raise damaged(layout.root / odd) if (layout.root / odd).exists() else missing(layout.root / odd)
    return paths


def _as(rows: pa.Table, schema: pa.Schema, root: Path) -> pa.Table:
    """Rows with the types of a schema and the present codes; columns of later versions that they lack are null."""
    try:
        return with_current_reasons(with_later_columns(rows, schema)).cast(schema)
    except (KeyError, TypeError, ValueError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise _misfit(root) from error


def _misfit(root: Path) -> DatasetError:
    return DatasetError("damaged_dataset", f"The files of {root} do not fit each other; build it again.")


def _joined(tables: Iterator[pa.Table], schema: pa.Schema) -> pa.Table:
    return pa.concat_tables([schema.empty_table(), *tables])

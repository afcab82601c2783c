"""Reads the manifests of a finished dataset, all rows at once or some at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.about import About, read_about
from facesieve.dataset.decision_file import read_decisions
from facesieve.dataset.disk.checksums import Checksums, read_checksums
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.own_file import damaged_file, missing_file
from facesieve.dataset.disk.parquet import group_sizes, read_group, read_groups, schema_of
from facesieve.dataset.disk.tar import read_at
from facesieve.dataset.tables.decisions import CHANGED, NEEDED, NO_DECISIONS, Decisions, with_decisions
from facesieve.dataset.tables.embeddings import vectors_of
from facesieve.dataset.tables.face_row import FaceRow, face_rows
from facesieve.dataset.tables.former import with_current_reasons
from facesieve.dataset.tables.merge import Block
from facesieve.dataset.tables.row_stream import RowStream
from facesieve.dataset.tables.schema import (
    CROP_HASH,
    embedding_schema,
    measure_columns,
    with_later_columns,
)
from facesieve.errors import DatasetError, UsageError
from facesieve.records import EMBEDDING_SIZE, Floats32, Measures, Pixels

BLOCK = 32_768  # pictures and faces in one block
HASH_BYTES = 32
MAX_IDS = 1000  # ids that are collected for the error message about an ambiguous prefix


@dataclass(frozen=True, slots=True)
class FaceGroup:
    """A row group of `faces`: the one with this number in a file. first: its first row in the dataset. rows: of it."""

    path: Path
    number: int
    first: int
    rows: int


@dataclass(frozen=True, slots=True)
class Manifests:
    """What a build published: `dataset.json` and the rows of `faces` and `pictures`.

    sums: the checksums of the published files. They were checked when the dataset was opened.
    decisions: what people decided about faces. All rows of faces that this returns follow them.
    """

    layout: Layout
    about: About
    sums: Checksums
    decisions: Decisions = NO_DECISIONS

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the measure columns."""
        return measure_columns(self.about.origin.measures)

    @property
    def embeddings(self) -> pa.Table:
        """All rows of `embeddings`, in memory: one for each row of `faces`. Raises DatasetError if there are none."""
        return _joined(self.embedding_tables(), embedding_schema())

    @property
    def vectors(self) -> Floats32:
        """The embeddings as an array: (N, 128) float32, one row for each row of `faces`, NaN where a face has none.

        Raises DatasetError if the dataset has no embeddings.
        """
        return vectors_of(self.embeddings)

    @property
    def faces(self) -> pa.Table:
        """All rows of `faces`, in memory."""
        return _joined(self.face_tables(), self.about.origin.face_schema)

    @property
    def pictures(self) -> pa.Table:
        """All rows of `pictures`, in memory."""
        return _joined(self.picture_tables(), self.about.origin.picture_schema)

    def face_tables(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield the rows of `faces` in groups, with some or all columns. Raises DatasetError if they are damaged."""
        schema = self.about.origin.face_schema
        if not len(self.decisions) or not {*CHANGED} & {*(schema.names if columns is None else columns)}:
            return self._tables(self.layout.faces, schema, columns)
        more = None if columns is None else list(dict.fromkeys([*columns, *NEEDED]))
        rows = self._tables(self.layout.faces, schema, more)
        changed = (with_decisions(one, self.decisions) for one in rows)
        return changed if columns is None else (one.select(columns) for one in changed)

    def picture_tables(self) -> Iterator[pa.Table]:
        """Yield the rows of `pictures` in groups. Raises DatasetError if they are damaged."""
        return self._tables(self.layout.pictures, self.about.origin.picture_schema)

    def embedding_tables(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield the rows of `embeddings` in groups: one for each row of `faces`, in the same order.

        Raises DatasetError `no_embeddings` if the dataset has none, and `damaged_dataset` or `not_a_dataset` if they
        are damaged or missing.
        """
        layout, root = self.layout, self.layout.root
        if not self.about.origin.identity:
            raise DatasetError(
                "no_embeddings", f"{root} has no embeddings; add them: facesieve identify {root} --identity MODEL."
            )
        schema = embedding_schema()
        wanted = schema if columns is None else pa.schema([schema.field(name) for name in columns])
        for path in files_of_manifest(layout, layout.embeddings, self.sums):
            for rows in read_groups(path, columns, self.sums.get(layout.name_of(path), frozenset())):
                held = _with_schema(rows, wanted, root)
                if "embedding" in wanted.names and not _are_whole(held["embedding"]):
                    raise _mismatch(root)
                yield held

    def blocks(self, embeddings: bool = False) -> Iterator[Block]:
        """Yield the faces and pictures of the same sources, in order, some thousands at a time.

        embeddings: also yield the embeddings of the faces, if the dataset has any.
        Raises DatasetError if the manifests do not match.
        """
        faces = RowStream(self.face_tables(), self.about.origin.face_schema)
        with_embeddings = embeddings and self.about.origin.identity is not None
        numbers = RowStream(self.embedding_tables() if with_embeddings else (), embedding_schema())
        for group in self.picture_tables():
            ends = np.cumsum(np.asarray(group["faces"].combine_chunks().fill_null(0)).astype(np.int64) + 1)
            cuts = [0, *(np.flatnonzero(np.diff(ends // BLOCK)) + 1).tolist(), len(group)]
            for start, end in pairwise(cuts):
                pictures = group.slice(start, end - start)
                owner = np.repeat(np.arange(len(pictures)), np.asarray(pictures["faces"]))
                of_pictures = faces.take(len(owner))
                if not of_pictures["source"].equals(pictures["source"].take(pa.array(owner))):
                    raise _mismatch(self.layout.root)
                of_faces = numbers.take(len(of_pictures)) if with_embeddings else None
                if of_faces is not None and not of_faces["face_id"].equals(of_pictures["face_id"]):
                    raise _mismatch(self.layout.root)
                yield Block(of_pictures, pictures, of_faces)
        if not (faces.ended() and numbers.ended()):
            raise _mismatch(self.layout.root)

    def count_unknown(self, decisions: Decisions) -> int:
        """How many of these decisions are about faces that the dataset does not have."""
        known = np.zeros(len(decisions), bool)
        for rows in self.face_tables(["face_id"]):
            known[np.asarray(decisions.places(rows["face_id"]).drop_null())] = True
        return int((~known).sum())

    def measures(self, faces: pa.Table) -> Measures:
        """The measures of these rows of faces, (N,) float64 by name. A null becomes NaN."""
        return measures_of_rows(faces, self.names)

    def face_groups(self) -> list[FaceGroup]:
        """The row groups of `faces`, in order."""
        groups, first = list[FaceGroup](), 0
        for path in self.layout.files_of(self.layout.faces):
            for number, rows in enumerate(group_sizes(path)):
                groups.append(FaceGroup(path, number, first, rows))
                first += rows
        return groups

    def read_face_group(self, group: FaceGroup, columns: Sequence[str]) -> pa.Table:
        """The rows of a row group of `faces`, as they were published. Raises DatasetError if they are damaged."""
        schema = self.about.origin.face_schema
        wanted = pa.schema([schema.field(name) for name in columns])
        return _with_schema(read_group(group.path, group.number, columns), wanted, self.layout.root)

    def face(self, prefix: str) -> list[FaceRow]:
        """The rows of the face whose id starts with `prefix`: one for each label that its picture has.

        Raises UsageError if no face or more than one starts with it.
        """
        found, ids = list[FaceRow](), set[str]()
        # Arrow rejects text that is not UTF-8, and every id is ASCII.
        wanted = prefix.lower() if prefix.isascii() else "?"
        for rows in self.face_tables():
            matching = rows.filter(pc.starts_with(rows["face_id"], wanted))
            ids.update(pc.unique(matching["face_id"]).to_pylist()[: MAX_IDS + 1])
            if len(ids) == 1:
                found += face_rows(matching, self.names)
            if len(ids) > MAX_IDS:
                break
        if not ids:
            raise UsageError("no_such_face", f"No face in {self.layout.root} has an id that starts with {prefix!r}.")
        if len(ids) > 1:
            number = f"More than {MAX_IDS}" if len(ids) > MAX_IDS else f"{len(ids)}"
            some = ", ".join(sorted(ids)[:5])
            raise UsageError("ambiguous_face", f"{number} face ids start with {prefix!r}: {some}. Write more digits.")
        return found

    def crops(self, faces: pa.Table) -> Iterator[bytes | None]:
        """Yield the aligned crop of each of these rows of faces as PNG, in order; None where none was written.

        Raises DatasetError if a crop is missing.
        """
        columns = ("file_name", *(name for name in ("shard", "offset", "size") if name in faces.column_names))
        for name, *position in zip(*(faces[column].to_pylist() for column in columns), strict=True):
            if name is None:
                yield None
                continue
            path = self.layout.root / (position[0] if position else name)
            if not path.is_file():
                raise missing_file(path)
            yield read_at(path, position[1], position[2]) if position else path.read_bytes()

    def crop_hash(self, face: FaceRow) -> Pixels | None:
        """(32,) uint8 the hash of the crop of a face; None if it has none."""
        for rows in self.face_tables(["face_id", CROP_HASH]):
            if len(matching := rows.filter(pc.equal(rows["face_id"], face.face_id))):
                [one] = hashes_of_rows(matching.slice(0, 1))
                return one if one.any() else None
        return None

    def faces_of(self, source: str) -> list[FaceRow]:
        """The rows of all faces of one source, in order."""
        matching = (rows.filter(pc.equal(rows["source"], source)) for rows in self.face_tables())
        return [row for rows in matching if len(rows) for row in face_rows(rows, self.names)]

    def _tables(self, manifest: Path, schema: pa.Schema, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        wanted = schema if columns is None else pa.schema([schema.field(name) for name in columns])
        for path in self.layout.files_of(manifest):
            for rows in read_groups(path, columns, trusted=self.layout.name_of(path) in self.sums):
                yield _with_schema(rows, wanted, self.layout.root)


def measures_of_rows(faces: pa.Table, names: Sequence[str]) -> Measures:
    """The measures with these names, (N,) float64 each, of rows of faces. A null becomes NaN."""
    columns = {name: faces[name].combine_chunks() for name in names}
    return Measures({name: np.asarray(column.fill_null(np.nan), np.float64) for name, column in columns.items()})


def hashes_of_rows(rows: pa.Table) -> Pixels:
    """(N, 32) uint8 the hashes of the crops of rows of faces; all zero where a face has none."""
    held = rows[CROP_HASH].combine_chunks()
    whole = pc.equal(pc.binary_length(held), HASH_BYTES).fill_null(False)
    held = pc.if_else(whole, held, pa.scalar(bytes(HASH_BYTES), held.type)).cast(pa.binary(HASH_BYTES))
    return np.frombuffer(held.buffers()[1] or b"", np.uint8)[: len(held) * HASH_BYTES].reshape(len(held), HASH_BYTES)


def open_manifests(root: Path) -> Manifests:
    """Open the manifests of a dataset. Raises DatasetError if it is not a dataset, is unfinished or is damaged."""
    layout = Layout(root)
    if layout.made.exists() and not layout.about.exists():
        raise DatasetError("unfinished", f"{root} is unfinished. Run the same build or merge again to finish it.")
    dataset = open_with_checksums(layout, read_checksums(layout.published_sums))
    return replace(dataset, decisions=read_decisions(layout))


def open_with_checksums(layout: Layout, sums: Checksums) -> Manifests:
    """Like `open_manifests`, with the rows as they were published, whatever people decided since.

    sums: the checksums that the published files must have.
    """
    about = read_about(layout, sums.get(layout.name_of(layout.about), frozenset()))
    schemas = {layout.faces: about.origin.face_schema, layout.pictures: about.origin.picture_schema}
    for manifest, schema in schemas.items():
        for path in files_of_manifest(layout, manifest, sums):
            held = schema_of(path, sums.get(layout.name_of(path), frozenset()))
            _with_schema(held.empty_table(), schema, layout.root)
    return Manifests(layout, about, sums)


def files_of_manifest(layout: Layout, manifest: Path, sums: Checksums) -> list[Path]:
    """The files of a manifest. Raises DatasetError if they are not the files that were published."""
    paths = layout.files_of(manifest)
    name = layout.name_of(manifest)
    published = {one for one in sums if one == name or one.startswith(f"{name}/")}
    there = {layout.name_of(path) for path in paths}
    if published and published != there:
        odd = min(published ^ there)
        raise damaged_file(layout.root / odd) if (layout.root / odd).exists() else missing_file(layout.root / odd)
    return paths


def _with_schema(rows: pa.Table, schema: pa.Schema, root: Path) -> pa.Table:
    """The rows with the columns and types of a schema, and with the present codes of reasons.

    Columns that were added in later versions and are missing are null.
    """
    try:
        return with_current_reasons(with_later_columns(rows, schema)).cast(schema)
    except (KeyError, TypeError, ValueError) as error:  # pyarrow's ArrowInvalid is a ValueError
        raise _mismatch(root) from error


def _are_whole(embeddings: pa.ChunkedArray) -> bool:
    """Whether every embedding has as many numbers as it must have."""
    lengths = pc.unique(pc.list_value_length(embeddings)).drop_null().to_pylist()
    return set(lengths) <= {EMBEDDING_SIZE}


def _mismatch(root: Path) -> DatasetError:
    return DatasetError("damaged_dataset", f"The manifests of {root} do not match. Run the build again.")


def _joined(tables: Iterator[pa.Table], schema: pa.Schema) -> pa.Table:
    return pa.concat_tables([schema.empty_table(), *tables])

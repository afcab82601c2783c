"""Manifests as they are written: rows come in blocks of any size, and only one group of them is held."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from facesieve.dataset.commit import remove, switch, writing
from facesieve.dataset.layout import part_name
from facesieve.dataset.names import UNLABELLED
from facesieve.dataset.tables import ROW_GROUP, read_groups, writer_of


class Manifest:
    """A manifest on its way: one file, or a folder of files where it has more than `most` rows.

    The files are written in a folder of their own in `scratch`, and take their place with `publish`. Equal rows give
    equal bytes, however they are added. Raises DatasetError where the disk refuses.
    """

    def __init__(self, path: Path, schema: pa.Schema, scratch: Path, most: int | None = None) -> None:
        self.schema = schema
        self._path, self._scratch, self._most = path, scratch, most
        self._folder = scratch / f"{os.getpid()}.{path.name}"
        self._held: list[pa.Table] = []
        self._count = 0  # rows held
        self._written = 0  # rows in the open file
        self._stream: BinaryIO | None = None
        self._writer: pq.ParquetWriter | None = None
        self.files: list[Path] = []
        with writing(path):
            remove(self._folder)
            self._folder.mkdir(parents=True)

    def add(self, rows: pa.Table) -> None:
        """The next rows."""
        while len(rows):
            taken = rows.slice(0, self._wanted())
            rows = rows.slice(len(taken))
            self._held.append(taken)
            self._count += len(taken)
            if not self._wanted():
                self._write()

    def end(self) -> None:
        """After the last row: all files are whole and durable, but have not taken their place."""
        if self._count or not self.files:
            self._write()
        self._close()

    def publish(self) -> None:
        """Take the place of the manifest there is. The name is durable after `settle`."""
        single = len(self.files) == 1
        switch(self.files[0] if single else self._folder, self._path, self._scratch)
        with writing(self._path):
            remove(self._folder)

    def _wanted(self) -> int:
        """How many rows the next group of the file still takes."""
        group = ROW_GROUP if self._most is None else min(ROW_GROUP, self._most - self._written)
        return group - self._count

    def _write(self) -> None:
        with writing(self._path):
            if self._writer is None:
                self.files.append(self._folder / part_name(len(self.files)))
                self._stream = self.files[-1].open("wb")
                self._writer = writer_of(self._stream, self.schema)
            if self._count:  # Hugging Face `datasets` cannot read a group of no rows
                self._writer.write_table(pa.concat_tables(self._held).combine_chunks(), ROW_GROUP)
            self._written += self._count
            self._held, self._count = [], 0
            if self._written == self._most:
                self._close()

    def _close(self) -> None:
        if self._writer is None or self._stream is None:
            return
        with writing(self._path):
            self._writer.close()
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()
        self._writer, self._stream, self._written = None, None, 0


def write_beside_crops(faces: Manifest, path: Path, scratch: Path) -> Manifest:
    """The manifest of the kept crops, written from that of all faces, which has ended but need not be published.

    `file_name` is relative to `kept/`, and the label is the number of its folder. The schema carries Hugging Face
    `datasets` features, so that `load_dataset("imagefolder")` has a ClassLabel.
    """
    folders = set[str]()
    for rows in _kept(faces, ["kept", "file_name"]):
        folders.update(pc.unique(_folders(rows)).to_pylist())
    classes = pa.array(sorted(folders), pa.string())
    beside: Manifest | None = None
    for rows in chain([faces.schema.empty_table()], _kept(faces)):
        table = _beside_crops(rows, classes)
        beside = beside or Manifest(path, table.schema, scratch)
        beside.add(table)
    assert beside
    beside.end()
    return beside


def _kept(faces: Manifest, columns: list[str] | None = None) -> Iterator[pa.Table]:
    for file in faces.files:
        for rows in read_groups(file, columns, trusted=True):
            yield rows.filter(pc.and_(rows["kept"], pc.is_valid(rows["file_name"])))


def _names(rows: pa.Table) -> pa.ChunkedArray:
    return pc.replace_substring_regex(rows["file_name"], pattern="^kept/", replacement="")


def _folders(rows: pa.Table) -> pa.ChunkedArray:
    return pc.replace_substring_regex(_names(rows), pattern="/[^/]*$", replacement="")


def _beside_crops(rows: pa.Table, classes: pa.Array) -> pa.Table:
    codes = pc.index_in(_folders(rows), classes).cast(pa.int64())
    rest = rows.drop_columns(["file_name", "label", "kept", "reasons"])
    columns = {"file_name": _names(rows), "label": codes} | dict(zip(rest.column_names, rest.columns, strict=True))
    table = pa.table(columns)
    features = _features(table, classes.to_pylist())
    return table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})


def _features(table: pa.Table, classes: list[str]) -> dict[str, Any]:
    kinds = {pa.string(): "string", pa.float64(): "float64"}
    features: dict[str, Any] = {
        field.name: {"dtype": kinds.get(field.type, "int64"), "_type": "Value"} for field in table.schema
    }
    features["label"] = {"names": classes or [UNLABELLED], "_type": "ClassLabel"}
    return features

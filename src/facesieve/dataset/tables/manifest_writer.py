"""Writes a manifest from blocks of any size, and holds only one row group in memory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from facesieve.dataset.disk.atomic import remove_path, replace_path, wrap_write_errors
from facesieve.dataset.disk.layout import part_name
from facesieve.dataset.disk.parquet import ROW_GROUP, parquet_writer


class ManifestWriter:
    """Writes a manifest: one file, or a folder of files with at most `most` rows each.

    Call `add` for every block, then `finish`, then `publish`. The files are written to a temporary folder in
    `scratch`, and `publish` moves them to `path`. Equal rows become equal bytes, whatever the size of the blocks.
    Raises DatasetError if a file cannot be written.
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
        with wrap_write_errors(path):
            remove_path(self._folder)
            self._folder.mkdir(parents=True)

    def add(self, rows: pa.Table) -> None:
        """Add the next rows."""
        while len(rows):
            taken = rows.slice(0, self._wanted())
            rows = rows.slice(len(taken))
            self._held.append(taken)
            self._count += len(taken)
            if not self._wanted():
                self._write()

    def finish(self) -> None:
        """Write the last rows. All files are then complete and synced to disk, but not published."""
        if self._count or not self.files:
            self._write()
        self._close()

    def publish(self) -> None:
        """Replace the current manifest. The name survives a power cut only after `sync_folders`."""
        single = len(self.files) == 1
        replace_path(self.files[0] if single else self._folder, self._path, self._scratch)
        with wrap_write_errors(self._path):
            remove_path(self._folder)

    def _wanted(self) -> int:
        """The number of rows that are still missing from the current row group."""
        group = ROW_GROUP if self._most is None else min(ROW_GROUP, self._most - self._written)
        return group - self._count

    def _write(self) -> None:
        with wrap_write_errors(self._path):
            if self._writer is None:
                self.files.append(self._folder / part_name(len(self.files)))
                self._stream = self.files[-1].open("wb")
                self._writer = parquet_writer(self._stream, self.schema)
            if self._count:  # Hugging Face `datasets` cannot read a group without rows
                self._writer.write_table(pa.concat_tables(self._held).combine_chunks(), ROW_GROUP)
            self._written += self._count
            self._held, self._count = [], 0
            if self._written == self._most:
                self._close()

    def _close(self) -> None:
        if self._writer is None or self._stream is None:
            return
        with wrap_write_errors(self._path):
            self._writer.close()
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()
        self._writer, self._stream, self._written = None, None, 0

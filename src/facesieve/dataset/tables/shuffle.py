"""Rows distributed into numbered buckets: in memory if they are few, in a temporary file if they are many."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO, Self

import numpy as np
import pyarrow as pa

from facesieve.dataset.disk.atomic import wrap_write_errors
from facesieve.records import Integers

MAX_HELD_BYTES = 64 * 2**20  # of rows in memory; above this they are written to the file
MAX_LOOSE_TABLES = 256  # tables in memory before they are joined; a table takes about 20 kB besides its rows


class Shuffle:
    """Distributes rows into buckets. Add all rows first, then read the buckets; each keeps the order of its rows.

    schema: of all rows. scratch: the folder for the temporary file; None uses the folder of the system. The file has
    no name and disappears with the process. Raises DatasetError if the file cannot be written.
    """

    def __init__(self, schema: pa.Schema, scratch: Path | None) -> None:
        self._schema, self._scratch = schema, scratch
        self._held: list[tuple[pa.Table, Integers]] = []
        self._bytes = self._loose = 0
        self._file: IO[bytes] | None = None
        self._writer: pa.ipc.RecordBatchFileWriter | None = None
        self._reader: pa.ipc.RecordBatchFileReader | None = None
        self._written: dict[int, list[int]] = {}  # by bucket: the indices of its record batches in the file
        self._kept: dict[int, pa.Table] = {}  # buckets in memory, if nothing was written
        self._batches = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Free the rows and delete the file."""
        self._held, self._kept, self._reader = [], {}, None
        if self._file:
            self._file.close()

    def add(self, rows: pa.Table, buckets: Integers) -> None:
        """Add rows. buckets: (N,) int64, the bucket number of each row."""
        if len(rows):
            self._held.append((rows, buckets))
            self._bytes += rows.nbytes
            self._loose += 1
        if self._loose == MAX_LOOSE_TABLES:
            rows, buckets = self._joined(self._held[-MAX_LOOSE_TABLES:])
            self._held[-MAX_LOOSE_TABLES:] = [(rows.combine_chunks(), buckets)]
            self._loose = 0
        if self._bytes > MAX_HELD_BYTES:
            self._write()

    def numbers(self) -> list[int]:
        """The numbers of the buckets that have rows, ascending."""
        self._end()
        return sorted({*self._written, *self._kept})

    def bucket(self, number: int) -> pa.Table:
        """The rows of one bucket; an empty table if it has none."""
        return pa.concat_tables([self._schema.empty_table(), *self.pieces(number)])

    def pieces(self, number: int) -> Iterator[pa.Table]:
        """Yield the rows of one bucket in several tables, each small enough to be held in memory."""
        self._end()
        if number in self._kept:
            yield self._kept[number]
        for at in self._written.get(number, ()):
            assert self._reader
            with self._disk():
                batch = self._reader.get_batch(at)
            yield pa.Table.from_batches([batch])

    def _end(self) -> None:
        """Finish adding. If nothing was written yet, the rows stay in memory; otherwise the rest is written too."""
        if not self._file:
            self._kept |= dict(self._slices())
        elif not self._reader:
            self._write()
            with self._disk():
                assert self._writer
                self._writer.close()
                options = pa.ipc.IpcReadOptions(use_threads=False)
                self._reader = pa.ipc.open_file(self._file, options=options)

    def _slices(self) -> list[tuple[int, pa.Table]]:
        """The rows in memory by bucket; none are held afterwards."""
        if not self._held:
            return []
        rows, buckets = self._joined(self._held)
        self._held, self._bytes, self._loose = [], 0, 0
        if np.any(buckets[1:] < buckets[:-1]):
            order = np.argsort(buckets, kind="stable")
            rows, buckets = rows.take(order), buckets[order]
        starts = np.flatnonzero(np.diff(buckets, prepend=buckets[0] - 1))
        ends = np.append(starts[1:], len(buckets))
        pairs = zip(starts.tolist(), ends.tolist(), strict=True)
        return [(int(buckets[start]), rows.slice(start, end - start)) for start, end in pairs]

    def _joined(self, held: list[tuple[pa.Table, Integers]]) -> tuple[pa.Table, Integers]:
        return pa.concat_tables([rows for rows, _ in held]), np.concatenate([buckets for _, buckets in held])

    def _write(self) -> None:
        with self._disk():
            if not self._file:
                if self._scratch:
                    self._scratch.mkdir(parents=True, exist_ok=True)
                self._file = TemporaryFile(dir=self._scratch)  # noqa: SIM115 - closed by `close`
                options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
                self._writer = pa.ipc.new_file(self._file, self._schema, options=options)
            assert self._writer
            for number, rows in self._slices():
                for batch in rows.combine_chunks().to_batches():
                    self._writer.write_batch(batch)
                    self._written.setdefault(number, []).append(self._batches)
                    self._batches += 1

    def _disk(self) -> AbstractContextManager[None]:
        return wrap_write_errors(self._scratch or Path("the temporary folder"))

"""Rows dealt into numbered buckets: in memory while they are few, in a temporary file when they are many."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO, Self

import numpy as np
import pyarrow as pa

from facesieve.dataset.commit import writing
from facesieve.records import Integers

HELD = 64 * 2**20  # bytes of rows in memory before they are written
LOOSE = 256  # tables that are held before they become one, for a table takes some 20 kB beside its rows


class Shuffle:
    """A bucket has its rows in the order in which they were added. Rows are added first, and then read.

    schema: of all rows. scratch: folder of the temporary file, which has no name and ends with the process;
    None takes the system's. Raises DatasetError where the disk refuses.
    """

    def __init__(self, schema: pa.Schema, scratch: Path | None) -> None:
        self._schema, self._scratch = schema, scratch
        self._held: list[tuple[pa.Table, Integers]] = []
        self._bytes = self._loose = 0
        self._file: IO[bytes] | None = None
        self._writer: pa.ipc.RecordBatchFileWriter | None = None
        self._reader: pa.ipc.RecordBatchFileReader | None = None
        self._written: dict[int, list[int]] = {}  # which record batches of the file belong to a bucket
        self._kept: dict[int, pa.Table] = {}  # buckets of rows that were never written
        self._batches = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the rows and of the file."""
        self._held, self._kept, self._reader = [], {}, None
        if self._file:
            self._file.close()

    def add(self, rows: pa.Table, buckets: Integers) -> None:
        """Rows with the number of the bucket of each."""
        if len(rows):
            self._held.append((rows, buckets))
            self._bytes += rows.nbytes
            self._loose += 1
        if self._loose == LOOSE:
            rows, buckets = self._joined(self._held[-LOOSE:])
            self._held[-LOOSE:] = [(rows.combine_chunks(), buckets)]
            self._loose = 0
        if self._bytes > HELD:
            self._write()

    def numbers(self) -> list[int]:
        """The buckets that have rows, ascending."""
        self._end()
        return sorted({*self._written, *self._kept})

    def bucket(self, number: int) -> pa.Table:
        """The rows of one bucket; none where it has none."""
        return pa.concat_tables([self._schema.empty_table(), *self.pieces(number)])

    def pieces(self, number: int) -> Iterator[pa.Table]:
        """The same in tables that are no larger than what is held, for a bucket that may be large."""
        self._end()
        if number in self._kept:
            yield self._kept[number]
        for at in self._written.get(number, ()):
            assert self._reader
            with self._disk():
                batch = self._reader.get_batch(at)
            yield pa.Table.from_batches([batch])

    def _end(self) -> None:
        """After the last row: what was never written stays in memory where nothing was, else it is written too."""
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
        """The held rows by bucket; nothing is held afterwards."""
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
        return writing(self._scratch or Path("the temporary folder"))

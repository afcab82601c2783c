"""What a build remembers: one part file per finished shard; a shard is done when its part has its name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from facesieve.dataset.commit import settle
from facesieve.dataset.layout import Layout
from facesieve.dataset.tables import read_table, write_table
from facesieve.records import RefusalCode

# The disk, the memory or the load may have been at fault, so the next build tries these again.
TRY_AGAIN = {
    RefusalCode.UNREADABLE.value,
    RefusalCode.CRASHED.value,
    RefusalCode.OUT_OF_MEMORY.value,
    RefusalCode.TOO_SLOW.value,
}

# Refused by a limit: a build with other limits tries these again.
BY_A_LIMIT = {
    RefusalCode.TOO_MANY_BYTES.value,
    RefusalCode.TOO_MANY_PIXELS.value,
    RefusalCode.TOO_LONG_SIDE.value,
    RefusalCode.TOO_MANY_SCANS.value,
}


@dataclass(frozen=True, slots=True)
class Ledger:
    """The parts of one dataset, in the order of their numbers."""

    layout: Layout

    def numbers(self) -> list[int]:
        """Numbers of the finished shards, ascending."""
        return sorted(int(path.stem) for path in self.layout.parts.glob("*.parquet"))

    def next_number(self) -> int:
        """A number after all that were ever used."""
        return max(self.numbers(), default=-1) + 1

    def commit(self, number: int, rows: pa.Table, thumbs: pa.Table) -> None:
        """Remember a shard as done; its crops must be durable before. Raises DatasetError where the disk refuses."""
        name = f"{number:08d}.parquet"
        write_table(thumbs, self.layout.thumbs / name, self.layout.scratch)
        settle([self.layout.thumbs / name], self.layout.root)
        self.rewrite(number, rows)

    def rewrite(self, number: int, rows: pa.Table) -> None:
        """Put rows in the place of those of a part. Raises DatasetError where the disk refuses."""
        write_table(rows, self._part(number), self.layout.scratch)
        settle([self._part(number)], self.layout.root)

    def table(self, number: int, columns: list[str] | None = None) -> pa.Table:
        """The rows of one part. Parts of version 0.1.0 have no column `identity`."""
        return read_table(self._part(number), columns)

    def tables(self, columns: list[str] | None = None) -> list[pa.Table]:
        """The rows of all parts, oldest first."""
        return [self.table(number, columns) for number in self.numbers()]

    def written(self, number: int) -> int:
        """When a part was written, in nanoseconds since 1970."""
        return self._part(number).stat().st_mtime_ns

    def _part(self, number: int) -> Path:
        return self.layout.parts / f"{number:08d}.parquet"

"""What a build remembers: one part file per finished shard; a shard is done when its part has its name."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.commit import settle
from facesieve.dataset.layout import Layout
from facesieve.dataset.manifest import read_table, write_table
from facesieve.records import RefusalCode

# The disk's or the memory's fault, perhaps, and not the picture's. Made here, because for its first array pyarrow
# imports pandas, where there is one: workers then have it from the process that they are forked from.
TRY_AGAIN = pa.array([RefusalCode.UNREADABLE.value, RefusalCode.CRASHED.value])


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
        write_table(rows, self.layout.parts / name, self.layout.scratch)
        settle([self.layout.parts / name], self.layout.root)

    def tables(self, columns: list[str] | None = None) -> list[pa.Table]:
        """The rows of all parts, oldest first."""
        return [read_table(self.layout.parts / f"{number:08d}.parquet", columns) for number in self.numbers()]

    def done(self) -> dict[str, tuple[str, str]]:
        """Fingerprint and label of every source that needs no other look, by name."""
        found: dict[str, tuple[str, str]] = {}
        for table in self.tables(["source", "fingerprint", "label", "refusal"]):
            rows = table.filter(pc.invert(pc.is_in(table["refusal"], TRY_AGAIN))).to_pydict()
            found |= dict(zip(rows["source"], zip(rows["fingerprint"], rows["label"], strict=True), strict=True))
        return found

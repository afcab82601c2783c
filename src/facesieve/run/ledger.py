"""What a build remembers: one part file per finished shard; a shard is done when its part has its name."""

from __future__ import annotations

from dataclasses import dataclass

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
        write_table(rows, self.layout.parts / name, self.layout.scratch)
        settle([self.layout.parts / name], self.layout.root)

    def tables(self, columns: list[str] | None = None) -> list[pa.Table]:
        """The rows of all parts, oldest first."""
        return [read_table(self.layout.parts / f"{number:08d}.parquet", columns) for number in self.numbers()]

    def done(self, same_limits: bool = True) -> dict[str, tuple[str, str]]:
        """Fingerprint and label of every source that needs no other look, by name.

        same_limits: whether the limits on one picture are those that the dataset was last published with.
        """
        again = TRY_AGAIN if same_limits else TRY_AGAIN | BY_A_LIMIT
        found: dict[str, tuple[str, str]] = {}
        wanted = ["source", "fingerprint", "label", "refusal"]
        for table in self.tables(wanted):
            rows = zip(*(table[name].to_pylist() for name in wanted), strict=True)
            found |= {
                source: (fingerprint, label) for source, fingerprint, label, refusal in rows if refusal not in again
            }
        return found

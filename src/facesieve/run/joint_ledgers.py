"""The ledgers of several datasets, read as one. Of each source, only one row counts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pyarrow as pa

from facesieve.dataset.tables.conflicts import BUCKET
from facesieve.dataset.tables.hashes import Hashes, hashes_of, repeated_hashes
from facesieve.dataset.tables.inputs import input_keys
from facesieve.dataset.tables.shuffle import Shuffle
from facesieve.errors import UsageError
from facesieve.records import Integers
from facesieve.run.ledger import TRY_AGAIN, Ledger

_COMPARED = pa.schema(
    [
        pa.field("row", pa.int64()),
        pa.field("dataset", pa.int64()),
        pa.field("key", pa.binary()),
        pa.field("source", pa.string()),
        pa.field("label", pa.string()),
        pa.field("refusal", pa.string()),
    ]
)


@dataclass(frozen=True)
class JointLedgers:
    """The parts of several ledgers, one after the other.

    left_out: (N,) int64, ascending: the rows that do not count. A row is numbered by its position in all parts.
    """

    ledgers: Sequence[Ledger]
    left_out: Integers = field(default_factory=lambda: np.zeros(0, np.int64))

    @cached_property
    def parts(self) -> list[tuple[Ledger, int]]:
        """Every part: its ledger and its number."""
        return [(ledger, number) for ledger in self.ledgers for number in ledger.numbers()]

    def tables(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield the rows of each part that count. Raises DatasetError if a part is damaged."""
        first = 0
        for ledger, number in self.parts:
            rows = ledger.table(number, columns)
            yield self.counted(rows, first)
            first += len(rows)

    def counted(self, rows: pa.Table, first: int) -> pa.Table:
        """Those rows of one part that count. first: the number of its first row."""
        start, end = np.searchsorted(self.left_out, [first, first + len(rows)])
        if start == end:
            return rows
        counts = np.ones(len(rows), bool)
        counts[self.left_out[start:end] - first] = False
        return rows.filter(pa.array(counts))

    def without_repeated(self) -> JointLedgers:
        """The same ledgers with one row for each source.

        In one dataset the last row of a source counts. Datasets with a label for the source come first. Among these,
        datasets come first that read the picture or refused it for good (no later build tries again). Among equals, the
        last dataset comes first.
        Raises UsageError if two datasets have different labels for a source.
        """
        chunks = list[Hashes]()
        for rows in self.tables(["source", "identity"]):
            chunks.append(hashes_of(input_keys(rows).to_pylist()))
        total, repeated = sum(map(len, chunks)), repeated_hashes(chunks)
        if not len(repeated):
            return self
        left_out = list[Integers]()
        with Shuffle(_COMPARED, None) as compared:
            first = 0
            positions = {id(ledger): at for at, ledger in enumerate(self.ledgers)}
            tables = self.tables(["source", "identity", "label", "refusal"])
            for (ledger, _), rows in zip(self.parts, tables, strict=True):
                keys = input_keys(rows)
                hashes = hashes_of(keys.to_pylist())
                again = repeated.has(hashes)
                columns = {name: rows[name] for name in ("source", "label", "refusal")} | {
                    "row": pa.array(np.arange(first, first + len(rows))),
                    "dataset": pa.array(np.full(len(rows), positions[id(ledger)])),
                    "key": keys,
                }
                table = pa.table([columns[name] for name in _COMPARED.names], schema=_COMPARED)
                compared.add(table.filter(pa.array(again)), hashes[again] % (total // BUCKET + 1))
                first += len(rows)
            for number in compared.numbers():
                left_out.append(self._left_out(compared.bucket(number)))
        return replace(self, left_out=np.sort(np.concatenate(left_out)))

    def _left_out(self, rows: pa.Table) -> Integers:
        """The numbers of the rows that do not count. rows: all rows of some sources, in order."""
        columns = {name: rows[name].to_pylist() for name in _COMPARED.names}
        last: dict[bytes, dict[int, int]] = {}
        for at, (key, dataset) in enumerate(zip(columns["key"], columns["dataset"], strict=True)):
            last.setdefault(key, {})[dataset] = at
        counts = np.zeros(len(rows), bool)
        for positions in last.values():
            labelled = {columns["label"][at]: at for at in positions.values() if columns["label"][at]}
            if len(labelled) > 1:
                raise self._two_labels(columns, *list(labelled.values())[:2])
            best = max(
                positions.values(),
                key=lambda at: (bool(columns["label"][at]), columns["refusal"][at] not in TRY_AGAIN, at),
            )
            counts[best] = True
        return np.asarray(rows["row"])[~counts]

    def _two_labels(self, columns: dict[str, list[str]], first: int, second: int) -> UsageError:
        one, two = (
            f"{columns['label'][at]!r} in {self.ledgers[int(columns['dataset'][at])].layout.root}"
            for at in (first, second)
        )
        return UsageError(
            "two_labels",
            f"{columns['source'][first]} has two labels: {one}, and {two}. Build one of them again with the other's "
            "label, or forget the picture there.",
        )

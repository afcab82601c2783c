"""Which rows of a ledger count, what their inputs are called, and which pictures are there twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.compare import CHANGES, EVIDENCE, SPAN, Comparison, Tables, with_values
from facesieve.dataset.schema import part_schema
from facesieve.dataset.shuffle import Shuffle
from facesieve.errors import DatasetError
from facesieve.records import Mask, RefusalCode


@dataclass(frozen=True, slots=True)
class Settled:
    """The rows of one part as the manifests have them: each with its final name, duplicates refused.

    counts: (N,) boolean, false for a row that a later one of the same input replaces.
    """

    rows: pa.Table
    counts: Mask

    @property
    def counting(self) -> pa.Table:
        return self.rows if self.counts.all() else self.rows.filter(pa.array(self.counts))


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known of a ledger's rows together. bounds: names that cut the sorted inputs into blocks."""

    bounds: list[str]
    changes: Shuffle

    def settled(self, parts: Iterable[pa.Table]) -> Iterator[Settled]:
        """The parts in order, with all or some columns; `source`, `refusal` and `message` are changed if there."""
        first, held, number = 0, CHANGES.empty_table(), -1
        for rows in parts:
            after = first + len(rows)
            while number < (after - 1) // SPAN:
                number += 1
                held = pa.concat_tables([held, self.changes.bucket(number).sort_by("row")])
            at = np.asarray(held["row"])
            start, end = np.searchsorted(at, [first, after])
            yield _changed(rows, held.slice(start, end - start), first)
            held, first = held.slice(end), after


def _changed(rows: pa.Table, changes: pa.Table, first: int) -> Settled:
    counts = np.ones(len(rows), bool)
    if not len(changes):
        return Settled(rows, counts)
    at = np.asarray(changes["row"]) - first
    counts[at] = np.asarray(changes["counts"])
    again = pc.binary_join_element_wise("The same picture as ", changes["same_as"], ".", "")
    duplicate = pc.if_else(pc.is_valid(again), RefusalCode.DUPLICATE.value, pa.scalar(None, pa.string()))
    for name, values in {"source": changes["source"], "refusal": duplicate, "message": again}.items():
        if name in rows.column_names:
            rows = with_values(rows, name, at, values)
    return Settled(rows, counts)


def fitted(rows: pa.Table, measures: Sequence[str]) -> pa.Table:
    """The rows of a part with all columns in order; those that earlier versions did not write are null.

    Raises DatasetError when the columns are not those of one dataset.
    """
    schema = part_schema(measures)
    with fitting():
        table = pa.concat_tables([schema.empty_table(), rows], promote_options="default")
        # A cast leaves out what a face has besides.
        return table.select(schema.names).cast(schema).replace_schema_metadata(None)


@contextmanager
def fitting() -> Iterator[None]:
    """Turn what Arrow says of columns that do not fit into one DatasetError."""
    try:
        yield
    except (
        pa.ArrowInvalid,
        pa.ArrowTypeError,
        pa.ArrowNotImplementedError,
        KeyError,
    ) as error:  # only parts without a checksum come so far
        raise DatasetError(
            "damaged_dataset",
            "Parts of the ledger do not fit each other; `facesieve check DATASET` says which are damaged.",
        ) from error


@contextmanager
def survey(tables: Tables, scratch: Path | None) -> Iterator[Survey]:
    """Look at all parts. scratch: folder of temporary files; None takes the system's.

    Of an input in several rows the last one counts. Inputs of one name get names of their own (`distinct`).
    A picture whose bytes another input of the same label already has (the first by name) is a duplicate.
    Raises DatasetError when the parts do not have the columns of a ledger.
    """
    with Shuffle(CHANGES, scratch) as changes:
        with fitting(), Shuffle(EVIDENCE, scratch) as evidence:
            comparison = Comparison(tables, scratch, evidence, changes)
            comparison.run()
        yield Survey(comparison.sample.bounds(), changes)

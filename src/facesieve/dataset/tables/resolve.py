"""Resolves conflicts in a ledger: which rows count, the final names of inputs, and which pictures are duplicates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.disk.format import embedded_with
from facesieve.dataset.tables.conflicts import CHANGES, EVIDENCE, SPAN, ConflictSearch, ReadParts, replace_values
from facesieve.dataset.tables.schema import EMBEDDING_FIELDS, part_schema, with_later_columns
from facesieve.dataset.tables.shuffle import Shuffle
from facesieve.errors import DatasetError
from facesieve.records import Mask, RefusalCode


@dataclass(frozen=True, slots=True)
class ResolvedPart:
    """The rows of one part with their final names, and with duplicates refused.

    counts: (N,) bool; false for a row that a later row of the same input replaces.
    """

    rows: pa.Table
    counts: Mask

    @property
    def counted_rows(self) -> pa.Table:
        """The rows that count."""
        return self.rows if self.counts.all() else self.rows.filter(pa.array(self.counts))


@dataclass(frozen=True, slots=True)
class Resolution:
    """What has to change in the rows of a ledger. bounds: names that split the sorted inputs into blocks."""

    bounds: list[str]
    changes: Shuffle

    def resolved(self, parts: Iterable[pa.Table]) -> Iterator[ResolvedPart]:
        """Yield the parts in order, with the columns that they have; changes `source`, `refusal` and `message`."""
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


def _changed(rows: pa.Table, changes: pa.Table, first: int) -> ResolvedPart:
    counts = np.ones(len(rows), bool)
    if not len(changes):
        return ResolvedPart(rows, counts)
    at = np.asarray(changes["row"]) - first
    counts[at] = np.asarray(changes["counts"])
    again = pc.binary_join_element_wise("The same picture as ", changes["same_as"], ".", "")
    duplicate = pc.if_else(pc.is_valid(again), RefusalCode.DUPLICATE.value, pa.scalar(None, pa.string()))
    for name, values in {"source": changes["source"], "refusal": duplicate, "message": again}.items():
        if name in rows.column_names:
            rows = replace_values(rows, name, at, values)
    return ResolvedPart(rows, counts)


def with_part_schema(
    rows: pa.Table, measures: Sequence[str], in_tars: bool = False, model: str = "", clips: bool = False
) -> pa.Table:
    """The rows of a part with all columns, in order. Columns that an earlier version did not write are null.

    model: sha256 of the model whose embeddings are wanted; "" for none. Embeddings of another model become null.
    clips: whether the dataset has clips.
    Raises DatasetError if the columns are not those of a part.
    """
    has_wanted = bool(model) and embedded_with(rows) == model
    if model and not has_wanted:
        plain = with_part_schema(rows, measures, in_tars, clips=clips)
        embedded = part_schema(measures, in_tars, True, clips)
        return with_later_columns(plain, embedded, [field.name for field in EMBEDDING_FIELDS])
    schema = part_schema(measures, in_tars, has_wanted, clips)
    with wrap_schema_errors():
        rows = with_later_columns(rows, schema)
        table = pa.concat_tables([schema.empty_table(), rows], promote_options="default")
        # The cast drops further fields of a face.
        return table.select(schema.names).cast(schema).replace_schema_metadata(None)


@contextmanager
def wrap_schema_errors() -> Iterator[None]:
    """Turn errors of Arrow about columns into a DatasetError."""
    try:
        yield
    except (
        pa.ArrowInvalid,
        pa.ArrowTypeError,
        pa.ArrowNotImplementedError,
        KeyError,
    ) as error:  # only a part without a checksum can get here
        raise DatasetError(
            "damaged_dataset",
            "Parts of the ledger have different columns. Run `facesieve check DATASET` to see which are damaged.",
        ) from error


@contextmanager
def resolve(tables: ReadParts, scratch: Path | None) -> Iterator[Resolution]:
    """Read all parts and yield what has to change in their rows.

    If an input has several rows, the last one counts. Inputs that share a name get different names (see `inputs`).
    Of pictures with the same bytes and the same label, all but the first by name are duplicates.
    tables: reads the parts; called more than once. scratch: the folder for temporary files; None uses that of the
    system. Raises DatasetError if the parts do not have the columns of a ledger.
    """
    with Shuffle(CHANGES, scratch) as changes:
        with wrap_schema_errors(), Shuffle(EVIDENCE, scratch) as evidence:
            search = ConflictSearch(tables, scratch, evidence, changes)
            search.run()
        yield Resolution(search.sample.bounds(), changes)

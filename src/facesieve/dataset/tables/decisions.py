"""Decisions that people made about single faces, and what they change in rows of faces.

decisions.parquet ─ Decisions ─┬ verdicts, labels: for judging a dataset again
                               └ with_decisions: for reading the rows as they are published
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.tables.merge import Block
from facesieve.records import BY_HAND, KEEP, REJECT, ByHand

DECISION_SCHEMA = pa.schema(
    [
        pa.field("face_id", pa.string()),
        pa.field("verdict", pa.string()),
        pa.field("label", pa.string()),
        pa.field("who", pa.string()),
        pa.field("when", pa.timestamp("us", "UTC")),
        pa.field("why", pa.string()),
        pa.field("version", pa.int32()),
    ]
)
CHANGED = ("kept", "reasons", "label")  # the columns of a face that a decision can change
NEEDED = ("face_id", "kept", "reasons")  # the columns that the change is computed from


class Effect(NamedTuple):
    """What a decision says. verdict: `keep`, `reject` or None. label: None leaves it, "" removes it."""

    verdict: str | None = None
    label: str | None = None


@dataclass(frozen=True, eq=False)
class Decisions:
    """The decisions about the faces of one dataset.

    table: rows of `DECISION_SCHEMA`, sorted by `face_id`, at most one for each face. A row without verdict and label
    was withdrawn.
    """

    table: pa.Table

    def __len__(self) -> int:
        return len(self.table)

    @cached_property
    def _ids(self) -> pa.Array:
        return self.table["face_id"].combine_chunks()

    @cached_property
    def _verdicts(self) -> ByHand:
        column = self.table["verdict"].fill_null("").combine_chunks()
        keep, reject = (np.asarray(pc.equal(column, word), bool) for word in ("keep", "reject"))
        return np.where(keep, KEEP, np.where(reject, REJECT, 0)).astype(np.int8)

    def places(self, ids: pa.Array | pa.ChunkedArray) -> pa.Array:
        """(N,) the row of each face in `table`; null for a face without one."""
        found = pc.index_in(ids, self._ids)
        return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found

    def verdicts(self, ids: pa.Array | pa.ChunkedArray) -> ByHand:
        """(N,) int8: KEEP, REJECT, or 0 where no decision says anything."""
        if not len(self):
            return np.zeros(len(ids), np.int8)
        places = self.places(ids)
        return np.where(places.is_valid(), self._verdicts[np.asarray(places.fill_null(0))], 0).astype(np.int8)

    def labels(self, ids: pa.Array | pa.ChunkedArray) -> pa.Array:
        """(N,) the label that each face gets; null where no decision changes it."""
        return self.table["label"].combine_chunks().take(self.places(ids))

    def of(self, face_id: str) -> dict[str, Any] | None:
        """The row of a face; None if nobody decided about it."""
        place = self.places(pa.array([face_id], pa.string()))[0].as_py()
        return None if place is None else self.table.slice(place, 1).to_pylist()[0]

    def counts(self) -> dict[str, int]:
        """How many faces people kept, rejected, and gave another label."""
        kept, rejected = (int((self._verdicts == verdict).sum()) for verdict in (KEEP, REJECT))
        return {"kept": kept, "rejected": rejected, "relabelled": len(self) - self.table["label"].null_count}

    def effects(self) -> pa.Table:
        """Verdicts and labels of the decisions, without names, times and reasons; withdrawn ones are left out."""
        rows = self.table.select(["face_id", "verdict", "label"])
        return rows.filter(pc.or_(pc.is_valid(rows["verdict"]), pc.is_valid(rows["label"])))


NO_DECISIONS = Decisions(DECISION_SCHEMA.empty_table())


def with_labels(block: Block, decisions: Decisions) -> Block:
    """The block with the label that a decision sets for a face, or else the one that its picture was found under."""
    if not len(decisions):
        return block
    found = block.pictures["label"].take(pc.index_in(block.faces["source"], block.pictures["source"]))
    labels = pc.coalesce(decisions.labels(block.faces["face_id"]), found.combine_chunks())
    at = block.faces.schema.get_field_index("label")
    return block._replace(faces=block.faces.set_column(at, block.faces.schema.field(at), labels))


def with_decisions(rows: pa.Table, decisions: Decisions) -> pa.Table:
    """Rows of faces, with `kept`, `reasons` and `label` as decisions say that were made after they were published.

    A withdrawn verdict restores that of the rules. The label that it had before is known to the next build or `sieve`.
    rows: with the columns `NEEDED`; `label` may be missing.
    """
    if not len(decisions):
        return rows
    places = decisions.places(rows["face_id"])
    changed = np.flatnonzero(np.asarray(places.is_valid()))
    if not len(changed):
        return rows
    by_hand = decisions.verdicts(rows["face_id"].take(pa.array(changed))).tolist()
    before = rows["reasons"].take(pa.array(changed)).to_pylist()
    reasons = [_reasons(held, verdict) for held, verdict in zip(before, by_hand, strict=True)]
    kept = [verdict == KEEP or not why for verdict, why in zip(by_hand, reasons, strict=True)]
    columns = {"kept": pa.array(kept, pa.bool_()), "reasons": pa.array(reasons, pa.list_(pa.string()))}
    if "label" in rows.column_names:
        chosen = decisions.labels(rows["face_id"].take(pa.array(changed)))
        columns["label"] = pc.coalesce(chosen, rows["label"].take(pa.array(changed)).combine_chunks())
    for name, column in columns.items():
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(at, rows.schema.field(at), _replaced(rows[name], changed, column))
    return rows


def _reasons(held: list[str], verdict: int) -> list[str]:
    of_rules = [reason for reason in held if reason != BY_HAND]
    return [BY_HAND, *of_rules] if verdict == REJECT else of_rules


def _replaced(column: pa.ChunkedArray, changed: np.ndarray, new: pa.Array) -> pa.ChunkedArray:
    """The column with other values in some rows."""
    order = np.arange(len(column))
    order[changed] = len(column) + np.arange(len(changed))
    both = pa.chunked_array([*column.chunks, new.cast(column.type)], column.type)
    return both.take(pa.array(order))

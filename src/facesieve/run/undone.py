"""Marks rows of the ledger whose pictures must be done again. A mark stays until a build has done the picture."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pyarrow as pa

from facesieve.dataset.disk.layout import Layout
from facesieve.run.ledger import LIMIT_REFUSALS, Ledger

UNDONE = "undone"  # the fingerprint of such a row; no source has this fingerprint


def mark_undone(rows: pa.Table, undone: Collection[int]) -> pa.Table:
    """The rows of a part, with some marked as to be done again."""
    at = rows.schema.get_field_index("fingerprint")
    mask = np.isin(np.arange(len(rows)), list(undone))
    fingerprints = np.where(mask, UNDONE, np.asarray(rows["fingerprint"].to_pylist(), object))
    return rows.set_column(at, rows.schema.field(at), pa.array(fingerprints, pa.string()))


def mark_limit_refusals(layout: Layout) -> None:
    """Mark the pictures that a limit refused, for a build with other limits.

    Raises DatasetError if a part of the ledger is damaged or cannot be written.
    """
    ledger = Ledger(layout)
    for number in ledger.numbers():
        refusals = ledger.table(number, ["refusal"])["refusal"].to_pylist()
        if refused := [row for row, code in enumerate(refusals) if code in LIMIT_REFUSALS]:
            ledger.rewrite(number, mark_undone(ledger.table(number), refused))

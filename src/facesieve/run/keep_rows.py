"""Removing rows from a part of the ledger, with everything that belongs to them."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.tables.named_files import files_of_rows
from facesieve.run.ledger import Ledger


def keep_rows(ledger: Ledger, number: int, rows: pa.Table, outputs: Outputs) -> None:
    """Keep only these rows of a part, with their thumbnails and checksums. Without rows, the part is removed."""
    if not len(rows):
        ledger.remove(number)
        return
    ids = pc.struct_field(rows["faces"].combine_chunks().flatten(), "face_id")
    thumbs = ledger.thumbs(number)
    names, sums = {name for _, name in files_of_rows(rows, outputs)}, ledger.sums(number)
    files = {name: sums[name] for name in names if name in sums}
    ledger.commit(number, rows, thumbs.filter(pc.is_in(thumbs["face_id"], ids)), files)


def without_faces(row: dict[str, Any], faces: Set[str], outputs: Outputs) -> dict[str, Any] | None:
    """A row without some faces; None if the whole row must go, because its marked copy shows one of them."""
    left = [face for face in row["faces"] if face["face_id"] not in faces]
    if len(left) == len(row["faces"]):
        return row
    return None if outputs.draws(is_clip=row.get("frames") is not None) else {**row, "faces": left}

"""One face of the report: what is shown below its thumbnail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from facesieve.records import Indices
from facesieve.report.figures.block import OF_CLIPS, FaceBlock

LONGEST = 400  # characters of a name or label in the report; the tables have all


def face_values(block: FaceBlock, at: Indices | Sequence[int], measure: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield JSON values of faces. at: their places in the block. measure: its value is added as `value`."""
    columns = [name for name in ("face_id", "source", "label", "kept", *OF_CLIPS) if name in block.rows.column_names]
    rows = block.rows.select([*columns, "reasons"]).take(np.asarray(at, np.int64)).to_pylist()
    for place, row in zip(at, rows, strict=True):
        row["source"], row["label"] = shortened(row["source"]), shortened(row["label"])
        value = float(block.measures[measure][place]) if measure else None
        yield row | ({} if value is None or np.isnan(value) else {"value": value})


def shortened(name: str) -> str:
    """A name of at most `LONGEST` characters, with its middle left out if it is longer."""
    half = LONGEST // 2
    return name if len(name) <= LONGEST else f"{name[:half]} … {name[-half:]}"

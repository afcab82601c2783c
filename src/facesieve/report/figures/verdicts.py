"""How many faces are kept and rejected, and why, as the rows say now: decisions by hand are part of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow.compute as pc

from facesieve.report.figures.block import FaceBlock


class VerdictCounts:
    """Counts verdicts and reasons. Faces that are kept whatever the limits are count as `kept_by_hand`."""

    def __init__(self) -> None:
        self._faces = self._kept = self._by_hand = 0
        self._reasons = Counter[str]()

    def add(self, block: FaceBlock) -> None:
        """Count the next faces."""
        self._faces += len(block.kept)
        self._kept += int(block.kept.sum())
        self._by_hand += int((block.kept & ~block.by_rules).sum())
        rejected = block.rows["reasons"].filter(~np.asarray(block.kept))
        for item in pc.value_counts(pc.list_flatten(rejected)).to_pylist():
            self._reasons[item["values"]] += item["counts"]

    def as_json(self) -> Mapping[str, Any]:
        """The counts as JSON values, with the names of `Counts`."""
        return {
            "faces": self._faces,
            "kept": self._kept,
            "rejected": self._faces - self._kept,
            "kept_by_hand": self._by_hand,
            "reasons": dict(sorted(self._reasons.items(), key=lambda pair: (-pair[1], pair[0]))),
        }

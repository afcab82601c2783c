"""Per measure: a histogram of kept and rejected faces, and how many faces would be kept if a limit were moved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from facesieve.quality import Measure, is_relation
from facesieve.records import Floats, Integers
from facesieve.report.figures.block import FaceBlock
from facesieve.report.figures.scale import Scale
from facesieve.sieve import Policy


class LimitCounts:
    """Counts the faces of a dataset for one measure.

    A face is gained by moving a limit only if its rule is the only one that the face fails. So the faces that pass
    every *other* rule are counted below each stop and up to each stop (inclusive). These counts say exactly how many
    faces are between any two stops.
    """

    def __init__(self, measure: Measure, scale: Scale, policy: Policy) -> None:
        names = [rule.measure for rule in policy.rules]
        self.measure, self._scale = measure, scale
        self._rule = names.index(measure.name) if measure.name in names else None
        later = names[self._rule + 1 :] if self._rule is not None else []
        self._relations_later = [name for name in later if is_relation(name)]
        self._bars = np.zeros((2, len(scale.edges) - 1), np.int64)
        self._below, self._up_to = (np.zeros(len(scale.stops), np.int64) for _ in range(2))
        self._passing = self._passing_unmeasured = 0
        self._unmeasured = np.zeros(2, np.int64)

    def add(self, block: FaceBlock) -> None:
        """Count the next faces."""
        values = block.measures[self.measure.name]
        known = ~np.isnan(values)
        for number, verdict in enumerate((block.kept, ~block.kept)):
            self._bars[number] += _bars(values[known & verdict], self._scale)
            self._unmeasured[number] += np.count_nonzero(verdict & ~known)
        passing = block.passes_others(self._rule)
        self._count_stops(values[passing & known])
        self._passing += int(passing.sum())
        self._passing_unmeasured += int((passing & ~known).sum())

    def _count_stops(self, values: Floats) -> None:
        held = np.sort(values)
        self._below += np.searchsorted(held, self._scale.stops, "left")
        self._up_to += np.searchsorted(held, self._scale.stops, "right")

    def as_json(self) -> Mapping[str, Any]:
        """The counts as JSON values; `report.js` reads them."""
        return {
            "name": self.measure.name,
            "unit": self.measure.unit,
            "better": self.measure.better,
            "edges": self._scale.edges,
            "growing": self._scale.growing,
            "top": self._scale.top,
            "kept": self._bars[0].tolist(),
            "rejected": self._bars[1].tolist(),
            "unmeasured": self._unmeasured.tolist(),
            "stops": self._scale.stops,
            "below": self._below.tolist(),
            "up_to": self._up_to.tolist(),
            "passing": self._passing,
            "passing_unmeasured": self._passing_unmeasured,
            "relations_later": self._relations_later,
        }


def _bars(values: Floats, scale: Scale) -> Integers:
    """How many values are in each bar; the first and the last one also hold what lies beyond."""
    places = np.searchsorted(scale.edges, values, "right") - 1
    return np.bincount(places.clip(0, len(scale.edges) - 2), minlength=len(scale.edges) - 1)

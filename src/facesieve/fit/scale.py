"""One measure as a scale on which higher is better, and the limits that a place on the scale means."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

import numpy as np

from facesieve.quality import measure_named
from facesieve.records import Floats


@dataclass(frozen=True, slots=True)
class Scale:
    """The scale of one measure. centre: the best value of a measure whose two ends are bad, otherwise 0."""

    measure: str
    better: str
    centre: float = 0.0

    def scores(self, values: Floats) -> Floats:
        """(N,) higher is better. NaN stays NaN."""
        if self.better == "high":
            return values
        return -(values if self.better == "low" else np.abs(values - self.centre))

    def limits(self, score: float) -> tuple[float | None, float | None]:
        """The least and the greatest value of faces that score at least so much; None is no limit."""
        if self.better == "high":
            return score, None
        if self.better == "low":
            return None, 0.0 - score
        return self.centre + score, self.centre - score


def scale_of(name: str, values: Floats) -> Scale:
    """The scale of a measure. values: (N,) of all faces; where both ends are bad, their median is the centre."""
    measure = measure_named(name)
    assert measure
    known = values[np.isfinite(values)]
    centre = float(f"{np.median(known):.3g}") if measure.better == "middle" and len(known) else 0.0
    return Scale(name, measure.better, centre)


def standing(scores: Floats) -> Floats:
    """(N,) 0 to 1: the share of the measured faces that score no more than each face. 0 for one that was not measured.

    Faces with equal scores have equal standings.
    """
    known = np.sort(scores[~np.isnan(scores)])
    found = np.searchsorted(known, scores, side="right") / max(len(known), 1)
    return np.where(np.isnan(scores), 0.0, found)


def between(below: float, least: float) -> float:
    """The number with the fewest digits that is above `below` and at most `least`, near the middle.

    below may be minus infinity: then `least` is rounded down to two digits.
    """
    open_end = np.isinf(below)
    exact = Decimal(least) if open_end else (Decimal(below) + Decimal(least)) / 2
    for digits in range(2, 18):
        step = Decimal(1).scaleb(exact.adjusted() - digits + 1)
        rounded = float((exact / step).to_integral_value(ROUND_FLOOR if open_end else ROUND_HALF_EVEN) * step)
        if below < rounded <= least:
            return rounded
    return least

"""Curves of errors while the worst faces are discarded, as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Curve:
    """How the FNMR falls when the worst faces by one measure are discarded.

    measure: its name, or `random`, or `policy`, where a face is as bad as the worst of its measures.
    fnmr, low, high: for each discarded share, and its band of 95 %. None where no pair is left.
    gain: by what share the FNMR is less than at first, the mean of 5 to 30 % discarded; 0 by chance, 1 at best. None
    if no pair failed at first. gain_low, gain_high: its band. The bands of `random` are those of random orders: a
    measure whose gain is within them may predict nothing.
    """

    far: float
    measure: str
    fnmr: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    gain: float | None
    gain_low: float | None
    gain_high: float | None


@dataclass(frozen=True, slots=True)
class Curves:
    """The curves of a dataset, for each FAR the best measure first, and what they were computed from.

    limits: the distance at each FAR. discarded: the shares. people: labels with right pairs. notes: for the user.
    """

    faces: int
    labels: int
    people: int
    right_pairs: int
    wrong_pairs: int
    limits: dict[float, float]
    discarded: tuple[float, ...]
    curves: tuple[Curve, ...]
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """The curves as JSON values."""
        names = ("faces", "labels", "people", "right_pairs", "wrong_pairs")
        counts = {name: getattr(self, name) for name in names}
        limits = [{"far": far, "distance": distance} for far, distance in self.limits.items()]
        curves = [{name: getattr(curve, name) for name in Curve.__slots__} for curve in self.curves]
        return {**counts, "limits": limits, "discarded": self.discarded, "curves": curves, "notes": self.notes}

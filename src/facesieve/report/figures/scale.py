"""Where the bars of a histogram begin and end, and where a limit can be moved to."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from facesieve.quality import Measure
from facesieve.records import Floats

BARS = 60  # about so many
SHOWN = (0.5, 99.5)  # percentiles between which the bars lie; the first and the last bar hold all beyond
LONG_TAIL = 12  # from this ratio of the last to the median value on, the steps grow with the value
NEAREST = 1e-6  # least distance from the greatest possible value that has a bar of its own, as a share of that value
MOST_WHOLE = 40  # values of a count, such as a rank, that have a bar each
_DECADE = (
    *(1.0, 1.1, 1.2, 1.3, 1.5, 1.6, 1.8, 2.0, 2.2, 2.4, 2.7, 3.0),
    *(3.3, 3.6, 3.9, 4.3, 4.7, 5.1, 5.6, 6.2, 6.8, 7.5, 8.2, 9.1),
)  # values of growing steps, each about a tenth larger than the one before


@dataclass(frozen=True, slots=True)
class Scale:
    """The scale of one measure.

    edges: of the bars, ascending. stops: the values that a limit can be moved to; the present limits are among them.
    growing: whether the bars grow with the value, so that a logarithmic axis shows them equally wide. top: the greatest
    possible value, if the bars grow with the distance from it; None if they do not.
    """

    edges: tuple[float, ...]
    stops: tuple[float, ...]
    growing: bool = False
    top: float | None = None


def scale_of(measure: Measure, sample: Floats, limits: Iterable[float]) -> Scale | None:
    """A scale for a measure; None if no value was measured. sample: some of its values, without NaN."""
    if not len(sample):
        return None
    limits = tuple(limits)
    low, middle, high = (float(one) for one in np.percentile(sample, (SHOWN[0], 50, SHOWN[1])))
    low, high = min(low, *limits, low), max(high, *limits, high)
    if (sample == np.round(sample)).all() and high - low <= MOST_WHOLE and measure.unit == "":
        first, last = math.floor(low), math.ceil(high)
        stops = tuple(float(value) for value in range(first, last + 1))
        return Scale(tuple(value - 0.5 for value in (*stops, last + 1.0)), _with(stops, limits))
    if measure.low == 0 and low > 0 and middle > 0 and high / middle > LONG_TAIL:
        every = _growing(low, high)
        return Scale(_thinned(every), _with(every, limits), growing=True)
    top = measure.high
    bounded = measure.low == 0 and math.isfinite(top) and measure.unit == ""  # a score of 99.9 is as good as 100
    if bounded and middle < top and (top - low) / (top - middle) > LONG_TAIL:
        nearest = max(top - high, NEAREST * top)
        every = _from_top(nearest, top - low, top)
        return Scale(_thinned(every), _with(every, limits), top=top)
    if measure.better == "near zero":
        low, high = -max(-low, high), max(-low, high)
    step = _step((high - low) / BARS or 1 / BARS)
    edges = _even(max(low, measure.low), min(high, measure.high), step)
    return Scale(edges, _with(_even(edges[0], edges[-1], step / 2), limits))


def _with(stops: Iterable[float], limits: Iterable[float]) -> tuple[float, ...]:
    return tuple(sorted({*stops, *limits}))


def _step(least: float) -> float:
    """The least of 1, 2, 2.5, 5 times a power of ten that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= least * (1 - 1e-9))


def _even(low: float, high: float, step: float) -> tuple[float, ...]:
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return tuple(round(number * step, 10) for number in range(first, max(last, first + 1) + 1))


def _growing(low: float, high: float) -> tuple[float, ...]:
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    every = [round(part * 10.0**power, 10) for power in powers for part in _DECADE]
    first = max((number for number, value in enumerate(every) if value <= low), default=0)
    last = min((number for number, value in enumerate(every) if value >= high), default=len(every) - 1)
    return tuple(every[first : max(last, first + 1) + 1])


def _from_top(nearest: float, farthest: float, top: float) -> tuple[float, ...]:
    """Ascending values up to `top`, whose distances from it grow; the last one is `top` itself."""
    values = [round(top - distance, 10) for distance in reversed(_growing(nearest, farthest))]
    return (*(value for value in values if value >= 0), top)


def _thinned(edges: tuple[float, ...]) -> tuple[float, ...]:
    """Every n-th edge and the last one, so that there are not many more than `BARS`."""
    each = -(-len(edges) // BARS)
    return (*edges[:-1:each], edges[-1])

"""Errors of recognition while the worst faces are discarded: which measure predicts them in this dataset.

The limit of distance is the one at which a given share of all wrong pairs is accepted (FAR). It stays the same while
faces are discarded, and the share of the remaining right pairs beyond it is the false non-match rate (FNMR). A measure
that predicts recognition makes it fall; discarding at random leaves it as it is.

    faces ─ place by one measure, the worst first ─ pairs whose two faces are left ─ FNMR

Source: Grother and Tabassi, "Performance of biometric quality measures", PAMI 2007; the error-versus-discard
characteristic of ISO/IEC 29794-1. Bands: people are drawn again with replacement, as pairs of one person are not
independent (Bolle, Ratha and Pankanti, "Error analysis of pattern recognition systems: the subsets bootstrap", 2004).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from facesieve.dataset.manifests import Manifests
from facesieve.fit.columns import OF_ONE_FACE, read_columns
from facesieve.fit.compared import Compared, compare
from facesieve.fit.scale import scale_of, standing
from facesieve.records import Floats, Floats32, Indices, Integers, Mask
from facesieve.sieve import Policy

SEED = 0
STEPS = 20  # the discarded share grows by 1 / STEPS
MOST = 10  # steps that are shown: half of the faces
JUDGED = 6  # steps that `gain` is the mean of: up to .3 discarded
RATES = (1e-2, 1e-3)
FEWEST = 10  # wrong pairs that must be accepted, so that they define a limit
DRAWS = 500  # of people, for the bands
BY_CHANCE = 100  # random orders
RANDOM, POLICY = "random", "policy"


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


def error_curves(dataset: Manifests, policy: Policy, measures: tuple[str, ...] = ()) -> Curves:
    """The curve of each measure of a single face, of the policy, and of discarding by chance.

    measures: which ones; empty for all that are no raw values. Raises what `compare` raises, and UsageError for an
    unknown measure.
    """
    found = compare(dataset)
    names = measures or tuple(name for name in OF_ONE_FACE if name in dataset.names and not name.endswith("_native"))
    ruled = [rule.measure for rule in policy.rules if rule.measure in OF_ONE_FACE]
    columns = read_columns(dataset, [*dict.fromkeys([*names, *ruled])], lacking=True)
    people, person = np.unique(found.label, return_inverse=True)
    used = np.unique(found.right)
    standings = {name: _standing(name, column, used) for name, column in columns.items()}
    orders = {name: standings[name] for name in names if standings[name].any()}
    if ruled:
        orders[POLICY] = reduce(np.minimum, (standings[name] for name in ruled))
    random, pairs = np.random.RandomState(SEED), np.searchsorted(used, found.right)
    places = {name: _places(one, random)[pairs].min(axis=1) for name, one in orders.items()}
    draws = random.multinomial(len(people), np.full(len(people), 1 / len(people)), DRAWS).astype(np.float32)
    limits = _limits(found)
    curves = [
        _curve(far, name, place, found.distance > limit, person, draws)
        for far, limit in limits.items()
        for name, place in places.items()
    ]
    curves += _by_chance({far: found.distance > limit for far, limit in limits.items()}, pairs, random)
    curves.sort(key=lambda curve: (-curve.far, -(curve.gain if curve.gain is not None else 0), curve.measure))
    discarded = tuple(step / STEPS for step in range(MOST + 1))
    counts = (found.faces, found.labels, len(people), len(found.right), len(found.wrong))
    return Curves(*counts, limits, discarded, tuple(curves), tuple(_notes(found, limits, len(people))))


def _standing(name: str, column: Floats, used: Indices) -> Floats:
    return standing(scale_of(name, column).scores(column))[used]


def _places(standings: Floats, random: np.random.RandomState) -> Indices:
    """(N,) the step at which each face is discarded, the worst first; faces that stand equally in a drawn order."""
    order = np.lexsort((random.permutation(len(standings)), standings))
    places = np.empty(len(order), np.intp)
    places[order] = np.arange(len(order)) * STEPS // len(order)
    return places


def _limits(found: Compared) -> dict[float, float]:
    """The distance at each FAR that enough wrong pairs define. A pair beyond it is not accepted."""
    wrong = np.sort(found.wrong)
    counts = {far: int(far * len(wrong)) for far in RATES}
    return {far: float(wrong[count - 1]) for far, count in counts.items() if count >= FEWEST}


def _curve(far: float, name: str, places: Indices, failed: Mask, person: Indices, draws: Floats32) -> Curve:
    """places: (P,) of the pairs. failed: (P,). person: (P,). draws: (B, people) how often each is drawn."""
    people = draws.shape[1]
    left, lost = _left(places, person, people), _left(places[failed], person[failed], people)
    drawn = _rates(draws @ lost.astype(np.float32), draws @ left.astype(np.float32))
    gains = _gain(drawn) if people > 1 else np.full(1, np.nan)
    return _described(far, name, _rates(lost.sum(axis=0), left.sum(axis=0)), drawn, gains)


def _by_chance(failed: dict[float, Mask], pairs: Indices, random: np.random.RandomState) -> Iterator[Curve]:
    """Yield the curve of random orders at each FAR: its expectation, and how far chance alone goes.

    pairs: (P, 2) places of faces.
    """
    faces, rates = int(pairs.max()) + 1, {far: list[Floats]() for far in failed}
    everyone = np.zeros(len(pairs), np.intp)
    for _ in range(BY_CHANCE):
        places = (random.permutation(faces) * STEPS // faces)[pairs].min(axis=1)
        left = _left(places, everyone, 1)[0]
        for far, some in failed.items():
            rates[far].append(_rates(_left(places[some], everyone[some], 1)[0], left))
    for far, found in rates.items():
        drawn = np.stack(found)
        yield _described(far, RANDOM, np.full(MOST + 1, failed[far].mean()), drawn, _gain(drawn))


def _described(far: float, name: str, rates: Floats, drawn: Floats, gains: Floats) -> Curve:
    """drawn: (B, steps) rates, and gains: (B,) whose middle 95 % are the bands."""
    low, high = _band(drawn)
    ends = _band(gains)
    shares = (_values(rates), _values(low), _values(high))
    return Curve(far, name, *shares, _value(_gain(rates)), _value(ends[0]), _value(ends[1]))


def _left(places: Indices, person: Indices, people: int) -> Integers:
    """(people, MOST + 1) how many pairs of each person are left after each step."""
    counts = np.bincount(person * STEPS + places, minlength=people * STEPS).reshape(people, STEPS)
    return counts[:, ::-1].cumsum(axis=1)[:, ::-1][:, : MOST + 1]


def _rates(lost: Integers | Floats32, left: Integers | Floats32) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(lost / left, np.float64)


def _gain(rates: Floats) -> Floats:
    """By what share the rate is less than the first one, the mean of the steps up to `JUDGED`."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1 - rates[..., 1 : JUDGED + 1].mean(axis=-1) / rates[..., 0])


def _band(drawn: Floats) -> tuple[Floats, Floats]:
    """The 2.5 and 97.5 % points of the draws."""
    finite = drawn[np.isfinite(drawn).reshape(len(drawn), -1).all(axis=1)]
    if not len(finite):
        return (np.full(drawn.shape[1:], np.nan),) * 2
    low, high = np.percentile(finite, (2.5, 97.5), axis=0)
    return low, high


def _values(numbers: Floats) -> tuple[float | None, ...]:
    return tuple(_value(number) for number in numbers)


def _value(number: Floats | float | None) -> float | None:
    return None if number is None or not np.isfinite(number) else round(float(number), 6)


def _notes(found: Compared, limits: dict[float, float], people: int) -> list[str]:
    few = [f"FAR {far:g} needs {FEWEST / far:,.0f} wrong pairs" for far in RATES if far not in limits]
    notes = [f"There are {len(found.wrong):,} wrong pairs: {' and '.join(few)}."] if few else []
    if people < 20:
        notes.append(f"Only {people} labels have two pictures or more: the bands are rough.")
    return notes

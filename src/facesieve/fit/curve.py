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
from functools import reduce

import numpy as np

from facesieve.dataset.manifests import Manifests
from facesieve.fit.columns import OF_ONE_FACE, check_measures, read_columns
from facesieve.fit.compared import Compared, compare
from facesieve.fit.curve_records import Curve, Curves
from facesieve.fit.discard import MOST, STEPS, band_of, gain_of, pairs_left, rates_of, steps_of
from facesieve.fit.scale import scale_of, standing
from facesieve.records import Floats, Floats32, Indices, Mask
from facesieve.sieve import Policy

SEED = 0
RATES = (1e-2, 1e-3)
FEWEST = 10  # wrong pairs that must be accepted, so that they define a limit
DRAWS = 500  # of people, for the bands
BY_CHANCE = 100  # random orders
RANDOM, POLICY = "random", "policy"
FEW_PEOPLE = 20  # with fewer, the bands are rough


def error_curves(dataset: Manifests, policy: Policy, measures: tuple[str, ...] = ()) -> Curves:
    """The curve of each measure of a single face, of the policy, and of discarding by chance.

    measures: which ones; empty for all that are no raw values. Raises what `compare` and `check_measures` raise.
    """
    check_measures(measures)
    found = compare(dataset)
    people, person = np.unique(found.label, return_inverse=True)
    used = np.unique(found.right)
    random, pairs = np.random.RandomState(SEED), np.searchsorted(used, found.right)
    orders = _orders(dataset, policy, measures, used)
    steps = {name: steps_of(one, random)[pairs].min(axis=1) for name, one in orders.items()}
    draws = random.multinomial(len(people), np.full(len(people), 1 / len(people)), DRAWS).astype(np.float32)
    limits = _limits(found)
    failed = {far: found.distance > limit for far, limit in limits.items()}
    curves = [_curve(far, name, step, failed[far], person, draws) for far in limits for name, step in steps.items()]
    curves += _by_chance(failed, pairs, random)
    curves.sort(key=lambda curve: (-curve.far, -(curve.gain or 0), curve.measure))
    discarded = tuple(step / STEPS for step in range(MOST + 1))
    counts = (found.faces, found.labels, len(people), len(found.right), len(found.wrong))
    return Curves(*counts, limits, discarded, tuple(curves), tuple(_notes(found, limits, len(people))))


def _orders(dataset: Manifests, policy: Policy, measures: tuple[str, ...], rows: Indices) -> dict[str, Floats]:
    """The standing of some faces by each measure, and by the worst measure of the policy."""
    every = tuple(name for name in OF_ONE_FACE if name in dataset.names and not name.endswith("_native"))
    ruled = [rule.measure for rule in policy.rules if rule.measure in OF_ONE_FACE]
    names = measures or every
    columns = read_columns(dataset, [*dict.fromkeys([*names, *ruled])], lacking=True)
    standings = {name: _standing(name, column, rows) for name, column in columns.items()}
    orders = {name: standings[name] for name in names if standings[name].any()}
    return orders | ({POLICY: reduce(np.minimum, (standings[name] for name in ruled))} if ruled else {})


def _standing(name: str, column: Floats, used: Indices) -> Floats:
    return standing(scale_of(name, column).scores(column))[used]


def _limits(found: Compared) -> dict[float, float]:
    """The distance at each FAR that enough wrong pairs define. A pair beyond it is not accepted."""
    wrong = np.sort(found.wrong)
    counts = {far: int(far * len(wrong)) for far in RATES}
    return {far: float(wrong[count - 1]) for far, count in counts.items() if count >= FEWEST}


def _curve(far: float, name: str, steps: Indices, failed: Mask, person: Indices, draws: Floats32) -> Curve:
    """steps: (P,), see `pairs_left`. failed: (P,). person: (P,). draws: (B, people) how often each is drawn."""
    people = draws.shape[1]
    left, lost = pairs_left(steps, person, people), pairs_left(steps[failed], person[failed], people)
    drawn = rates_of(draws @ lost.astype(np.float32), draws @ left.astype(np.float32))
    gains = gain_of(drawn) if people > 1 else np.full(1, np.nan)
    return _described(far, name, rates_of(lost.sum(axis=0), left.sum(axis=0)), drawn, gains)


def _by_chance(failed: dict[float, Mask], pairs: Indices, random: np.random.RandomState) -> Iterator[Curve]:
    """Yield the curve of random orders at each FAR: its expectation, and how far chance alone goes.

    pairs: (P, 2) places of faces.
    """
    faces, drawn = int(pairs.max()) + 1, {far: list[Floats]() for far in failed}
    everyone = np.zeros(len(pairs), np.intp)
    for _ in range(BY_CHANCE):
        steps = (random.permutation(faces) * STEPS // faces)[pairs].min(axis=1)
        left = pairs_left(steps, everyone, 1)[0]
        for far, some in failed.items():
            drawn[far].append(rates_of(pairs_left(steps[some], everyone[some], 1)[0], left))
    for far, found in drawn.items():
        rates = np.stack(found)
        yield _described(far, RANDOM, np.full(MOST + 1, failed[far].mean()), rates, gain_of(rates))


def _described(far: float, name: str, rates: Floats, drawn: Floats, gains: Floats) -> Curve:
    """drawn: (B, steps) rates, and gains: (B,) whose middle 95 % are the bands."""
    shares = tuple(map(_values, (rates, *band_of(drawn))))
    gain, low, high = map(_value, (gain_of(rates), *band_of(gains)))
    return Curve(far, name, shares[0], shares[1], shares[2], gain, low, high)


def _values(numbers: Floats) -> tuple[float | None, ...]:
    return tuple(_value(number) for number in numbers)


def _value(number: Floats | float) -> float | None:
    return round(float(number), 6) if np.isfinite(number) else None


def _notes(found: Compared, limits: dict[float, float], people: int) -> list[str]:
    few = [f"FAR {far:g} needs {FEWEST / far:,.0f} wrong pairs" for far in RATES if far not in limits]
    notes = [f"There are {len(found.wrong):,} wrong pairs: {' and '.join(few)}."] if few else []
    if people < FEW_PEOPLE:
        notes.append(f"Only {people} labels have two pictures or more: the bands are rough.")
    return notes

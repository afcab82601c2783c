"""Which pairs are left while the worst faces are discarded, and what share of them fails."""

from __future__ import annotations

import numpy as np

from facesieve.records import Floats, Floats32, Indices, Integers

STEPS = 20  # the discarded share grows by 1 / STEPS
MOST = 10  # steps that are shown: half of the faces
JUDGED = 6  # steps that `gain` is the mean of: up to .3 discarded


def steps_of(standings: Floats, random: np.random.RandomState) -> Indices:
    """(N,) the step at which each face is discarded, the worst first. Equal faces are in a random order."""
    order = np.lexsort((random.permutation(len(standings)), standings))
    steps = np.empty(len(order), np.intp)
    steps[order] = np.arange(len(order)) * STEPS // len(order)
    return steps


def pairs_left(steps: Indices, person: Indices, people: int) -> Integers:
    """(people, MOST + 1) how many pairs of each person are left after each step.

    steps: (P,) the step at which the first face of each pair is discarded. person: (P,) the number of its person.
    """
    counts = np.bincount(person * STEPS + steps, minlength=people * STEPS).reshape(people, STEPS)
    return counts[:, ::-1].cumsum(axis=1)[:, ::-1][:, : MOST + 1]


def rates_of(failed: Integers | Floats32, left: Integers | Floats32) -> Floats:
    """(..., MOST + 1) the share of the pairs that fail; NaN where none is left."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(failed / left, np.float64)


def gain_of(rates: Floats) -> Floats:
    """(...,) by what share the rate is less than the first one, the mean of the steps up to `JUDGED`."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1 - rates[..., 1 : JUDGED + 1].mean(axis=-1) / rates[..., 0])


def band_of(drawn: Floats) -> tuple[Floats, Floats]:
    """The 2.5 and 97.5 % points of (B, ...) draws, without those that are not finite."""
    finite = drawn[np.isfinite(drawn).reshape(len(drawn), -1).all(axis=1)]
    if not len(finite):
        return (np.full(drawn.shape[1:], np.nan),) * 2
    low, high = np.percentile(finite, (2.5, 97.5), axis=0)
    return low, high

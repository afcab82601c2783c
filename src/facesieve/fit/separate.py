"""Limits that separate good from bad examples, and how many errors they make on examples that they were not chosen by.

Limits are added one by one: each time the limit that removes most of the error. The error is the mean of two shares: of
good examples that are rejected, and of bad ones that are kept. Then each limit is chosen again, with the others as they
are. How many limits there are is chosen by cross-validation: the fewest whose error is within one standard error of the
least (Breiman et al., "Classification and regression trees", 1984).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from facesieve.fit.scale import between
from facesieve.records import Floats, Indices, Mask

MOST = 6  # limits
FOLDS = 10
SEED = 0

Scores = Mapping[str, Floats]


@dataclass(frozen=True, slots=True)
class Limit:
    """Faces that score less than `least` on a measure are rejected."""

    measure: str
    least: float


Limits = tuple[Limit, ...]


@dataclass(frozen=True, slots=True)
class Separation:
    """Limits, and their errors on N examples.

    ranges: for each limit, the least and the greatest of the same measure in cross-validation; None if it was chosen
    in no fold. kept: (N,) by the limits. kept_unseen: (N,) by limits that were chosen without the example.
    """

    limits: Limits
    ranges: tuple[tuple[float, float] | None, ...]
    kept: Mask
    kept_unseen: Mask


def separate(scores: Scores, good: Mask) -> Separation:
    """The limits that separate N good from bad examples.

    scores: (N,) of each measure, higher is better, NaN where it was not measured. good: (N,) boolean.
    """
    folds = _folds(good)
    unseen = np.ones((MOST, len(good)), bool)
    chosen = list[list[Limits]]()
    for fold in range(int(folds.max()) + 1):
        held = folds == fold
        chosen.append(_each_count(_of(scores, ~held), good[~held]))
        for count, limits in enumerate(chosen[-1]):
            unseen[count, held] = _passing(_of(scores, held), limits)
    errors, spread = zip(*(_error(kept, good) for kept in unseen), strict=True)
    best = int(np.argmin(errors))
    count = next(at for at in range(MOST) if errors[at] <= errors[best] + spread[best])
    limits = _each_count(scores, good)[count]
    found = [limit for fold in chosen for limit in fold[count]]
    return Separation(limits, tuple(_range(one, found) for one in limits), _passing(scores, limits), unseen[count])


def _folds(good: Mask) -> Indices:
    """(N,) the number of each example's fold. Each fold has its share of good and of bad examples."""
    random, folds = np.random.RandomState(SEED), np.zeros(len(good), np.intp)
    for side in (good, ~good):
        folds[side] = random.permutation(np.arange(side.sum()) % min(FOLDS, good.sum(), (~good).sum()))
    return folds


def _each_count(scores: Scores, good: Mask) -> list[Limits]:
    """The best 1, 2, ... `MOST` limits; fewer where one more removes no error."""
    found, limits = list[Limits](), Limits()
    for _ in range(MOST):
        limits = _chosen_again(_with_one_more(limits, scores, good), scores, good)
        found.append(limits)
    return found


def _with_one_more(limits: Limits, scores: Scores, good: Mask) -> Limits:
    """The limits and the one that removes most of the error that they leave, if any does."""
    kept = _passing(scores, limits)
    found = [(*_best(column[kept], good[kept], good), name) for name, column in scores.items()]
    gain, least, name = max(found, key=lambda one: one[0])
    return (*limits, Limit(name, least)) if gain > 0 else limits


def _chosen_again(limits: Limits, scores: Scores, good: Mask) -> Limits:
    """The limits, each of them chosen again among the examples that all others keep, one after the other."""
    for at, limit in enumerate(limits):
        kept = _passing(scores, (*limits[:at], *limits[at + 1 :]))
        gain, least = _best(scores[limit.measure][kept], good[kept], good)
        if gain > 0:
            limits = (*limits[:at], Limit(limit.measure, least), *limits[at + 1 :])
    return limits


def _best(scores: Floats, good: Mask, everyone: Mask) -> tuple[float, float]:
    """The limit on one measure that removes the most error, among the examples that are still kept; error and limit.

    everyone: which of all examples are good.
    """
    scores = np.where(np.isnan(scores), -np.inf, scores)
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    weights = np.where(good[order], -1 / everyone.sum(), 1 / (~everyone).sum())
    ends = np.flatnonzero(ordered[1:] > ordered[:-1])  # only between different values there is a limit
    if not len(ends):
        return 0.0, 0.0
    gains = np.cumsum(weights)[ends]
    at = ends[int(gains.argmax())]
    return round(float(gains.max()), 12), between(float(ordered[at]), float(ordered[at + 1]))


def _of(scores: Scores, some: Mask) -> Scores:
    return {name: column[some] for name, column in scores.items()}


def _passing(scores: Scores, limits: Limits) -> Mask:
    kept = np.ones(len(next(iter(scores.values()))), bool)
    for limit in limits:
        kept &= scores[limit.measure] >= limit.least
    return kept


def _error(kept: Mask, good: Mask) -> tuple[float, float]:
    """The mean of both error shares, and its standard error."""
    shares = [(np.mean(~kept[good]), good.sum()), (np.mean(kept[~good]), (~good).sum())]
    return (
        float(sum(share for share, _ in shares) / 2),
        float(np.sqrt(sum(share * (1 - share) / count for share, count in shares)) / 2),
    )


def _range(limit: Limit, found: list[Limit]) -> tuple[float, float] | None:
    same = [one.least for one in found if one.measure == limit.measure]
    return (min(same), max(same)) if same else None

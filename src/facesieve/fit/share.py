"""Limits that keep a share of the faces, or by which each rule rejects a share.

All rules get the same strictness: each would reject the same share of the faces if it were the only one. Nothing says
which measure matters more, so no rule is tighter than another; and only the order of the faces counts, so units do not
matter. The standing of a face is that of its worst measure. The faces with the best standing are kept:

    measure ─ standing among all faces ─┐
    measure ─ standing among all faces ─┼ the worst of them ─ the best share of faces ─ limits of every rule
    measure ─ standing among all faces ─┘

A greater share keeps all faces that a smaller one keeps.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from math import ceil

import numpy as np

from facesieve.dataset.manifests import Manifests
from facesieve.errors import DatasetError, UsageError
from facesieve.fit.columns import read_columns, rules_to_fit
from facesieve.fit.fitted import Fitted
from facesieve.fit.scale import Scale, between, scale_of, standing
from facesieve.records import Floats, Mask
from facesieve.sieve import Policy, Rule

SHOWN = (5, 25, 50, 75, 95)


@dataclass(frozen=True, slots=True)
class _Ruled:
    """One rule, and its measure of N faces. values: (N,), NaN where not measured. standing: (N,), see `standing`."""

    rule: Rule
    scale: Scale
    values: Floats
    standing: Floats


def fit_keep(dataset: Manifests, policy: Policy, share: float, measures: tuple[str, ...] = ()) -> Fitted:
    """The policy with limits that keep this share of the faces, or a few more if some have the same standing.

    share: above 0, below 1. measures: those to limit, if not those of the policy. Rules on relations, and rules that
    reject good values, stay as they are and come on top. Raises UsageError, PolicyError and DatasetError.
    """
    _check(share, "keep")
    ruled = _ruled(dataset, policy, measures)
    worst = _worst(ruled)
    wanted = max(1, ceil(round(share * len(worst), 9)))
    least = float(np.partition(worst, len(worst) - wanted)[len(worst) - wanted])
    if least <= 0:
        lacking = max(ruled, key=lambda one: int(np.isnan(one.values).sum()))
        count = int(np.isnan(lacking.values).sum())
        raise DatasetError(
            "cannot_keep",
            f"Cannot keep {_percent(share)} of the {len(worst):,} faces: {count:,} have no {lacking.rule.measure!r}."
            " Keep fewer, or name other measures with --measure.",
        )
    return _fitted(policy, ruled, least, f"--keep {share:g}", measures)


def fit_reject_rate(dataset: Manifests, policy: Policy, rate: float, measures: tuple[str, ...] = ()) -> Fitted:
    """The policy with limits by which each rule alone rejects at most this share of the faces that it can judge.

    Together the rules reject more. For the rest see `fit_keep`.
    """
    _check(rate, "reject-rate")
    ruled = _ruled(dataset, policy, measures)
    return _fitted(policy, ruled, float(np.nextafter(rate, 1)), f"--reject-rate {rate:g}", measures)


def _check(share: float, option: str) -> None:
    if not 0 < share < 1:
        raise UsageError("bad_share", f"--{option} {share:g} is not a share: write a number between 0 and 1, like 0.8.")


def _ruled(dataset: Manifests, policy: Policy, measures: tuple[str, ...]) -> list[_Ruled]:
    rules = rules_to_fit(policy, measures)
    columns = read_columns(dataset, [rule.measure for rule in rules])
    scales = {name: scale_of(name, values) for name, values in columns.items()}
    return [
        _Ruled(rule, scales[name], columns[name], _standing(rule, scales[name].scores(columns[name])))
        for rule in rules
        for name in [rule.measure]
    ]


def _standing(rule: Rule, scores: Floats) -> Floats:
    """(N,) the standing of each face. An optional rule passes the faces without a value."""
    return np.where(np.isnan(scores) & rule.optional, 1.0, standing(scores))


def _worst(ruled: list[_Ruled]) -> Floats:
    """(N,) the worst standing of each face."""
    return reduce(np.minimum, (one.standing for one in ruled))


def _fitted(policy: Policy, ruled: list[_Ruled], least: float, option: str, measures: tuple[str, ...]) -> Fitted:
    """least: the worst standing that passes."""
    kept = int((_worst(ruled) >= least).sum())
    total = len(ruled[0].values)
    limited = {one.rule.measure: _limited(one, least) for one in ruled}
    others = [] if measures else [rule for rule in policy.rules if rule.measure not in limited]
    order = [rule.measure for rule in policy.rules]
    rules = sorted([*limited.values(), *others], key=lambda rule: _place(order, rule.measure))
    sentence = f"Keeps {kept:,} of {total:,} faces ({_percent(kept / total)}) by equally strict rules."
    evidence = [f"{option}: {sentence} Each rule alone rejects at most {_percent(least)} of the faces it can judge."]
    if others:
        names = ", ".join(rule.measure for rule in others)
        evidence.append(f"The rules on {names} are unchanged, and reject more faces.")
    of_rules = {one.rule.measure: tuple(_evidence(one, ruled, least)) for one in ruled}
    facts = {"faces": total, "kept": kept, "strictness": least}
    named = Policy(name=f"{policy.name}, fitted", sentence=sentence, rules=tuple(rules))
    return Fitted(named, facts, tuple(evidence), of_rules)


def _place(order: list[str], name: str) -> int:
    return order.index(name) if name in order else len(order)


def _limited(one: _Ruled, least: float) -> Rule:
    """The rule with limits that pass exactly the faces with this standing or a better one."""
    scores, passes = one.scale.scores(one.values), one.standing >= least
    failing, passing = scores[~passes & ~np.isnan(scores)], scores[passes & ~np.isnan(scores)]
    low, high = one.scale.limits(between(float(failing.max(initial=-np.inf)), float(passing.min())))
    return one.rule.model_copy(update={"low": low, "high": high})


def _evidence(one: _Ruled, ruled: list[_Ruled], least: float) -> list[str]:
    fails: Mask = one.standing < least
    others = [other.standing >= least for other in ruled if other is not one]
    alone = fails & (np.logical_and.reduce(others) if others else True)
    known = one.values[np.isfinite(one.values)]
    numbers = ", ".join(f"{number:.4g}" for number in np.percentile(known, SHOWN))
    missing = len(fails) - len(known)
    failed = int(fails.sum())
    rejected = f"{failed:,} {'face' if failed == 1 else 'faces'} ({_percent(float(fails.mean()))})"
    why = f": {failed - missing:,} by value and {missing:,} without a value" if missing else ""
    if one.rule.optional and missing:
        why = f"; passes {missing:,} without a value"
    return [
        f"Rejects {rejected}{why}. Rejected by no other rule: {int(alone.sum()):,}.",
        f"Values at {', '.join(map(str, SHOWN))} %: {numbers}.",
    ]


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"

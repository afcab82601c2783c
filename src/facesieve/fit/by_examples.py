"""The policy that separates good from bad examples, with its errors."""

from __future__ import annotations

from math import sqrt
from pathlib import Path

import numpy as np

from facesieve.dataset.manifests import Manifests
from facesieve.errors import DatasetError
from facesieve.fit.columns import OF_ONE_FACE, read_columns, rules_to_fit
from facesieve.fit.examples import find_examples
from facesieve.fit.fitted import Fitted
from facesieve.fit.scale import Scale, scale_of
from facesieve.fit.separate import Limit, Separation, separate
from facesieve.records import Floats, Mask
from facesieve.sieve import Policy, Rule

Z = 1.96  # of an interval of 95 %


def fit_examples(dataset: Manifests, policy: Policy, good: Path, bad: Path, measures: tuple[str, ...] = ()) -> Fitted:
    """The policy with the few limits that separate good from bad examples best, and with its errors.

    policy: only its name is used. measures: those that may be limited; empty for all that are measured. good, bad: see
    `find_examples`. Raises UsageError, PolicyError, and DatasetError `not_separable` if no limit helps.
    """
    names = [rule.measure for rule in rules_to_fit(policy, measures)] if measures else _measured(dataset)
    columns = read_columns(dataset, names)
    is_good, is_bad = find_examples(dataset, good, bad)
    rows, wanted = np.concatenate([is_good, is_bad]), np.arange(len(is_good) + len(is_bad)) < len(is_good)
    scales = {name: scale_of(name, column) for name, column in columns.items()}
    scores = {name: scale.scores(columns[name][rows]) for name, scale in scales.items()}
    found = separate(scores, wanted)
    if not found.limits:
        raise DatasetError(
            "not_separable", f"No limit on one measure separates the examples in {good} from those in {bad}."
        )
    return _fitted(policy, found, scales, columns, wanted)


def _measured(dataset: Manifests) -> list[str]:
    """The measures that some face has, without raw values, which a score stands for."""
    candidates = [name for name in OF_ONE_FACE if name in dataset.names and not name.endswith("_native")]
    found = set[str]()
    for rows in dataset.face_tables(candidates):
        found |= {name for name in candidates if rows[name].null_count < len(rows)}
    return [name for name in candidates if name in found]


def _fitted(
    policy: Policy, found: Separation, scales: dict[str, Scale], columns: dict[str, Floats], good: Mask
) -> Fitted:
    kept = np.ones(len(next(iter(columns.values()))), bool)
    limits, of_rules = dict[str, float](), dict[str, list[str]]()
    for limit, span in zip(found.limits, found.ranges, strict=True):
        kept &= scales[limit.measure].scores(columns[limit.measure]) >= limit.least
        limits[limit.measure] = max(limit.least, limits.get(limit.measure, -np.inf))
        of_rules[limit.measure] = [_span(scales[limit.measure], limit, span)]
    rules = []
    for name, least in limits.items():
        low, high = scales[name].limits(least)
        rules.append(Rule(measure=name, low=low, high=high))
    rejected, passed = _errors(found.kept, good)
    unseen_rejected, unseen_passed = _errors(found.kept_unseen, good)
    share = f"It keeps {int(kept.sum()):,} of {len(kept):,} faces of the dataset ({100 * kept.mean():.1f} %)."
    evidence = (
        f"--examples: {int(good.sum())} good and {int((~good).sum())} bad ones. {share}",
        f"On these examples: {rejected} good ones rejected, {passed} bad ones kept.",
        f"On examples that the limits were not chosen by: {unseen_rejected} good ones rejected, {unseen_passed} bad"
        " ones kept (cross-validation; in brackets the interval of 95 %).",
    )
    facts = {
        "faces": len(kept),
        "kept": int(kept.sum()),
        "good": int(good.sum()),
        "bad": int((~good).sum()),
        "good_rejected": _share(~found.kept[good]),
        "bad_kept": _share(found.kept[~good]),
        "unseen_good_rejected": _share(~found.kept_unseen[good]),
        "unseen_bad_kept": _share(found.kept_unseen[~good]),
    }
    named = Policy(name="by examples", sentence=share, rules=tuple(rules))
    return Fitted(named, facts, evidence, {name: tuple(some) for name, some in of_rules.items()})


def _span(scale: Scale, limit: Limit, span: tuple[float, float] | None) -> str:
    if span is None:
        return "Chosen in no fold of the cross-validation: do not rely on it."
    ends = sorted(abs(edge) if scale.better == "near zero" else _value(scale, edge) for edge in span)
    return f"In cross-validation this limit was between {ends[0]:.4g} and {ends[1]:.4g}."


def _value(scale: Scale, score: float) -> float:
    low, high = scale.limits(score)
    return low if low is not None else high if high is not None else score


def _errors(kept: Mask, good: Mask) -> tuple[str, str]:
    return _counted(~kept[good]), _counted(kept[~good])


def _counted(wrong: Mask) -> str:
    low, high = wilson(int(wrong.sum()), len(wrong))
    return f"{int(wrong.sum())} of {len(wrong)} ({100 * low:.0f} to {100 * high:.0f} %)"


def _share(wrong: Mask) -> dict[str, float]:
    low, high = wilson(int(wrong.sum()), len(wrong))
    return {"share": float(wrong.mean()), "low": low, "high": high}


def wilson(count: int, total: int) -> tuple[float, float]:
    """The interval of 95 % of a share. Source: Wilson, "Probable inference", 1927."""
    share, weight = count / total, Z * Z / total
    middle = (share + weight / 2) / (1 + weight)
    half = Z * sqrt(share * (1 - share) / total + weight / (4 * total)) / (1 + weight)
    return max(0.0, middle - half), min(1.0, middle + half)

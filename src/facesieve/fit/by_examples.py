"""The policy that separates good from bad examples, with its errors."""

from __future__ import annotations

from math import sqrt
from pathlib import Path

import numpy as np

from facesieve.dataset.manifests import Manifests
from facesieve.errors import DatasetError
from facesieve.fit.columns import OF_ONE_FACE, check_measures, read_columns
from facesieve.fit.examples import find_examples
from facesieve.fit.fitted import Fitted
from facesieve.fit.scale import Scale, scale_of
from facesieve.fit.separate import Separation, separate
from facesieve.records import Floats, Mask
from facesieve.sieve import Policy, Rule

Z = 1.96  # of an interval of 95 %


def fit_examples(dataset: Manifests, good: Path, bad: Path, measures: tuple[str, ...] = ()) -> Fitted:
    """The policy with the few limits that separate good from bad examples best, and with its errors.

    good, bad: see `find_examples`. measures: those that may be limited; empty for all that some face has, without raw
    values. Raises UsageError, PolicyError, and DatasetError `not_separable` if no limit helps.
    """
    check_measures(measures)
    columns = read_columns(dataset, measures or _measured(dataset))
    is_good, is_bad = find_examples(dataset, good, bad)
    rows, wanted = np.concatenate([is_good, is_bad]), np.arange(len(is_good) + len(is_bad)) < len(is_good)
    scales = {name: scale_of(name, column) for name, column in columns.items()}
    found = separate({name: scale.scores(columns[name][rows]) for name, scale in scales.items()}, wanted)
    if not found.limits:
        raise DatasetError(
            "not_separable", f"No limit on one measure separates the examples in {good} from those in {bad}."
        )
    return _fitted(found, scales, columns, wanted)


def _measured(dataset: Manifests) -> list[str]:
    """The measures that some face has, without raw values, because their scores are used instead."""
    candidates = [name for name in OF_ONE_FACE if name in dataset.names and not name.endswith("_native")]
    found = set[str]()
    for rows in dataset.face_tables(candidates):
        found |= {name for name in candidates if rows[name].null_count < len(rows)}
    return [name for name in candidates if name in found]


def _fitted(found: Separation, scales: dict[str, Scale], columns: dict[str, Floats], good: Mask) -> Fitted:
    """columns: of all faces. good: of the examples."""
    passes = [scales[one.measure].scores(columns[one.measure]) >= one.least for one in found.limits]
    kept, faces = int(np.logical_and.reduce(passes).sum()), len(passes[0])
    sentence = f"Keeps {kept:,} of {faces:,} faces of the dataset ({100 * kept / faces:.1f} %)."
    evidence = (
        f"--examples: {int(good.sum())} good and {int((~good).sum())} bad ones. {sentence}",
        f"On these examples: {_errors(found.kept, good)}.",
        f"On examples that the limits were not chosen by: {_errors(found.kept_unseen, good)} (cross-validation; in"
        " brackets the interval of 95 %).",
    )
    facts = {"faces": faces, "kept": kept, "good": int(good.sum()), "bad": int((~good).sum())}
    shares = {
        "good_rejected": ~found.kept[good],
        "bad_kept": found.kept[~good],
        "unseen_good_rejected": ~found.kept_unseen[good],
        "unseen_bad_kept": found.kept_unseen[~good],
    }
    spans = zip(found.limits, found.ranges, strict=True)
    of_rules = {limit.measure: (_span(scales[limit.measure], span),) for limit, span in spans}
    policy = Policy(name="by examples", sentence=sentence, rules=_rules(found, scales))
    return Fitted(policy, facts | {name: _share(wrong) for name, wrong in shares.items()}, evidence, of_rules)


def _rules(found: Separation, scales: dict[str, Scale]) -> tuple[Rule, ...]:
    """One rule for each measure; of two limits of one measure, the tighter one counts."""
    least = dict[str, float]()
    for limit in found.limits:
        least[limit.measure] = max(limit.least, least.get(limit.measure, limit.least))
    limits = {name: scales[name].limits(score) for name, score in least.items()}
    return tuple(Rule(measure=name, low=low, high=high) for name, (low, high) in limits.items())


def _span(scale: Scale, span: tuple[float, float] | None) -> str:
    if span is None:
        return "Chosen in no fold of the cross-validation: do not rely on it."
    low, high = sorted(_edge(scale, score) for score in span)
    return f"In cross-validation this limit was between {low:.4g} and {high:.4g}."


def _edge(scale: Scale, score: float) -> float:
    """The limit as a number: the greater one where there are two."""
    low, high = scale.limits(score)
    return next(limit for limit in (high, low) if limit is not None)


def _errors(kept: Mask, good: Mask) -> str:
    return f"{_counted(~kept[good])} good ones rejected, {_counted(kept[~good])} bad ones kept"


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

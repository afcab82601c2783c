"""Judges any number of faces at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np

from facesieve.errors import PolicyError
from facesieve.records import Indices, Mask, Measures, Verdict
from facesieve.sieve.policy import Policy

PASSED, FAILED, MISSING = 0, 1, 2


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """Verdicts on N faces as columns.

    kept: (N,) boolean. pattern: (N,) intp, the index in `patterns` of each face's reasons.
    patterns: the different lists of reasons that occur; `()` for a face that is kept.
    """

    kept: Mask
    pattern: Indices
    patterns: tuple[tuple[str, ...], ...]

    def reasons(self) -> list[tuple[str, ...]]:
        """N tuples of codes of reasons; faces with the same reasons share one tuple."""
        return [self.patterns[which] for which in self.pattern.tolist()]

    def verdicts(self) -> list[Verdict]:
        """N verdicts; faces with the same reasons share one verdict."""
        shared = [Verdict(kept=not reasons, reasons=reasons) for reasons in self.patterns]
        return [shared[which] for which in self.pattern.tolist()]


def judge(policy: Policy, measures: Measures) -> list[Verdict]:
    """N verdicts, each with all its reasons in the order of the rules, and no reason twice.

    measures: of N faces. A value that was not measured (NaN) does not pass. The reason is then `pose_not_measured`,
    once for all measures that need the pose, or `not_measured`. Raises PolicyError `unmeasured` when the measure of a
    rule is not among the columns.
    """
    return judge_columns(policy, measures).verdicts()


def judge_columns(policy: Policy, measures: Measures) -> Judgement:
    """The verdicts of `judge` as columns, for manifests. Raises what `judge` raises."""
    lacking = [rule.measure for rule in policy.rules if rule.measure not in measures.columns]
    if lacking:
        raise PolicyError("unmeasured", f"Policy {policy.name!r} asks for {lacking[0]!r}, which was not measured.")
    faces = len(next(iter(measures.columns.values()), ()))
    outcomes = [_outcomes(policy, measures, index) for index in range(len(policy.rules))]
    # Patterns are numbered again after each rule, so that the numbers stay small however many rules there are.
    pattern = reduce(_add_rule, outcomes, np.zeros(faces, np.intp))
    first, which = _occurring(pattern)
    patterns = tuple(_reasons(policy, [int(outcome[face]) for outcome in outcomes]) for face in first)
    kept = np.array([not reasons for reasons in patterns], bool)
    return Judgement(kept[which], which, patterns)


def _outcomes(policy: Policy, measures: Measures, index: int) -> Indices:
    """(N,) intp: PASSED, FAILED or MISSING for one rule and each face."""
    rule = policy.rules[index]
    values = measures[rule.measure]
    return np.where(np.isnan(values), MISSING, np.where(rule.passes(values), PASSED, FAILED)).astype(np.intp)


def _add_rule(pattern: Indices, outcomes: Indices) -> Indices:
    return _occurring(pattern * 3 + outcomes)[1]


def _occurring(pattern: Indices) -> tuple[Indices, Indices]:
    """Where each different number first occurs, and the rank of each number among the different ones."""
    _, first, which = np.unique(pattern, return_index=True, return_inverse=True)
    return first, which


def _reasons(policy: Policy, outcomes: list[int]) -> tuple[str, ...]:
    reasons = [
        str(rule.when_missing if outcome == MISSING else rule.reason)
        for rule, outcome in zip(policy.rules, outcomes, strict=True)
        if outcome != PASSED
    ]
    return tuple(dict.fromkeys(reasons))

"""Verdicts on any number of faces at once."""

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

    kept: (N,) boolean. pattern: (N,) intp, which of `patterns` each face has.
    patterns: the distinct lists of reasons that occurred; `()` for a face that is kept.
    """

    kept: Mask
    pattern: Indices
    patterns: tuple[tuple[str, ...], ...]

    def reasons(self) -> list[tuple[str, ...]]:
        """N lists of reason codes; faces with the same reasons share one tuple, and pyarrow takes it as it is."""
        return [self.patterns[which] for which in self.pattern.tolist()]

    def verdicts(self) -> list[Verdict]:
        """N verdicts; faces with the same reasons share one."""
        shared = [Verdict(kept=not reasons, reasons=reasons) for reasons in self.patterns]
        return [shared[which] for which in self.pattern.tolist()]


def judge(policy: Policy, measures: Measures) -> list[Verdict]:
    """N verdicts, each with all reasons in rule order, no reason twice.

    A value that was not measured does not pass; the reason is then `pose_not_measured`, once for all angles, or
    `not_measured`. Raises PolicyError when the measures lack one that a rule asks for.
    """
    return judge_columns(policy, measures).verdicts()


def judge_columns(policy: Policy, measures: Measures) -> Judgement:
    """The same as columns, for manifests."""
    lacking = [rule.measure for rule in policy.rules if rule.measure not in measures.columns]
    if lacking:
        raise PolicyError("unmeasured", f"Policy {policy.name!r} asks for {lacking[0]!r}, which was not measured.")
    faces = len(next(iter(measures.columns.values()), ()))
    outcomes = [_outcomes(policy, measures, index) for index in range(len(policy.rules))]
    # Refined rule by rule: ranks stay small however many rules there are, and whole rows need no sorting.
    pattern = reduce(_refined, outcomes, np.zeros(faces, np.intp))
    first, which = _occurring(pattern)
    patterns = tuple(_reasons(policy, [int(outcome[face]) for outcome in outcomes]) for face in first)
    kept = np.array([not reasons for reasons in patterns], bool)
    return Judgement(kept[which], which, patterns)


def _outcomes(policy: Policy, measures: Measures, index: int) -> Indices:
    rule = policy.rules[index]
    values = measures[rule.measure]
    return np.where(np.isnan(values), MISSING, np.where(rule.passes(values), PASSED, FAILED)).astype(np.intp)


def _refined(pattern: Indices, outcomes: Indices) -> Indices:
    return _occurring(pattern * 3 + outcomes)[1]


def _occurring(pattern: Indices) -> tuple[Indices, Indices]:
    """Where each distinct number first occurs, and each number's rank among the distinct."""
    _, first, which = np.unique(pattern, return_index=True, return_inverse=True)
    return first, which


def _reasons(policy: Policy, outcomes: list[int]) -> tuple[str, ...]:
    said = [
        str(rule.when_missing if outcome == MISSING else rule.reason)
        for rule, outcome in zip(policy.rules, outcomes, strict=True)
        if outcome != PASSED
    ]
    return tuple(dict.fromkeys(said))

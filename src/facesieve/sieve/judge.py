"""Judges any number of faces at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from types import MappingProxyType

import numpy as np

from facesieve.errors import PolicyError
from facesieve.quality import is_relation
from facesieve.records import BY_HAND, KEEP, REJECT, ByHand, Floats, Indices, Mask, Measures, Verdict
from facesieve.sieve.policy import Policy
from facesieve.sieve.rule import Rule

PASSED, FAILED, MISSING = 0, 1, 2

Relation = Callable[[Mask], Floats]
"""(N,) boolean, which faces it is computed among, to (N,) float64. It is NaN for every other face, except for
`track_length`, which does not depend on which faces passed."""

Relations = Mapping[str, Relation]
NO_RELATIONS: Relations = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """Verdicts on N faces as columns.

    kept: (N,) boolean. pattern: (N,) intp, the index in `patterns` of each face's reasons.
    patterns: the different lists of reasons that occur; `()` for a face that passes. A face that a person keeps may
    have reasons.
    relations: (N,) float64 columns by name, one for each relation that was to be computed.
    """

    kept: Mask
    pattern: Indices
    patterns: tuple[tuple[str, ...], ...]
    relations: Mapping[str, Floats] = field(default_factory=dict)

    def reasons(self) -> list[tuple[str, ...]]:
        """N tuples of codes of reasons; faces with the same reasons share one tuple."""
        return [self.patterns[which] for which in self.pattern.tolist()]

    def verdicts(self) -> list[Verdict]:
        """N verdicts; faces with the same reasons share one verdict."""
        shared = [Verdict(kept=not reasons, reasons=reasons) for reasons in self.patterns]
        return [shared[which] for which in self.pattern.tolist()]


def judge(policy: Policy, measures: Measures, relations: Relations = NO_RELATIONS) -> list[Verdict]:
    """N verdicts, each with all its reasons in the order of the rules, and no reason twice.

    measures: of N faces. A value that was not measured (NaN) does not pass. The reason is then `pose_not_measured`,
    once for all measures that need the pose, or `not_measured`. Raises PolicyError `unmeasured` when the measure of a
    rule is neither among the columns nor among the relations.

    relations: computes numbers that need the other faces. Each is computed among the faces that passed every rule
    before its own, and its rule says nothing about the others. One without a rule is computed among the kept faces.
    """
    return judge_columns(policy, measures, relations).verdicts()


def judge_columns(
    policy: Policy, measures: Measures, relations: Relations = NO_RELATIONS, by_hand: ByHand | None = None
) -> Judgement:
    """The verdicts of `judge` as columns, for manifests. Raises what `judge` raises.

    by_hand: (N,) int8, what people decided; None for nothing. A face that a person rejects has the reason `by_hand`
    first, and relations are computed as if it had failed a rule before all others. One that a person keeps counts as
    passing every rule, and is kept with the reasons of the rules that it fails.
    """
    decided = _nothing(measures) if by_hand is None else by_hand
    passed, outcomes, related = _apply(policy.rules, policy, measures, relations, decided)
    related = {name: related[name] if name in related else relation(passed) for name, relation in relations.items()}
    # Patterns are numbered again after each rule, so that the numbers stay small however many rules there are.
    pattern = reduce(_add_rule, outcomes, decided.astype(np.intp) + 1)
    first, which = _occurring(pattern)
    of_rules = [_reasons(policy, [int(outcome[face]) for outcome in outcomes]) for face in first]
    hands = decided[first].tolist()
    patterns = tuple((BY_HAND, *of) if hand == REJECT else of for of, hand in zip(of_rules, hands, strict=True))
    kept = np.array([hand == KEEP or not of for of, hand in zip(patterns, hands, strict=True)], bool)
    return Judgement(kept[which], which, patterns, related)


def passing_before(
    policy: Policy,
    name: str,
    measures: Measures,
    relations: Relations = NO_RELATIONS,
    by_hand: ByHand | None = None,
) -> Mask:
    """(N,) boolean: which faces pass every rule before the rule on a measure; every rule if there is none on it.

    by_hand: as in `judge_columns`. Raises what `judge` raises.
    """
    names = [rule.measure for rule in policy.rules]
    before = names.index(name) if name in names else len(names)
    decided = _nothing(measures) if by_hand is None else by_hand
    return _apply(policy.rules[:before], policy, measures, relations, decided)[0]


def _nothing(measures: Measures) -> ByHand:
    return np.zeros(len(next(iter(measures.columns.values()), ())), np.int8)


def _apply(
    rules: tuple[Rule, ...], policy: Policy, measures: Measures, relations: Relations, by_hand: ByHand
) -> tuple[Mask, list[Indices], dict[str, Floats]]:
    """Which faces pass all rules, the outcomes of each rule, and the columns of the relations that rules ask for."""
    lacking = [rule.measure for rule in rules if rule.measure not in {*measures.columns, *relations}]
    if lacking:
        raise PolicyError("unmeasured", f"Policy {policy.name!r} asks for {lacking[0]!r}, which was not measured.")
    passed, kept = by_hand != REJECT, by_hand == KEEP
    outcomes, related = list[Indices](), dict[str, Floats]()
    for rule in rules:
        if rule.measure in relations:
            related[rule.measure] = relations[rule.measure](passed)
        values = related[rule.measure] if rule.measure in related else measures[rule.measure]
        outcome = np.where(rule.passes(values), PASSED, np.where(np.isnan(values), MISSING, FAILED)).astype(np.intp)
        if is_relation(rule.measure):
            outcome[~passed] = PASSED  # an earlier rule has said why the face is not kept
        outcomes.append(outcome)
        passed = (passed & (outcome == PASSED)) | kept
    return passed, outcomes, related


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

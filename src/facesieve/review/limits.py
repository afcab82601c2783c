"""Judges all faces under limits that a person moves: only the rule that changed is computed again.

The values of relations stay as they are recorded, although they depend on which faces pass the rules before. Where a
relation was not computed, its rule counts as passed and the face as `unknown`; `facesieve sieve` computes it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from facesieve.quality import is_relation
from facesieve.records import KEEP, REJECT, ByHand, Mask
from facesieve.review.faces import Faces
from facesieve.sieve import Policy, Rule

Limits = Mapping[str, tuple[float | None, float | None]]
MOST_RULES = 64  # results of rules in memory; one byte a face each


def with_limits(policy: Policy, limits: Limits) -> Policy:
    """The policy with other limits. A rule without limits is removed, and one on another measure added at the end.

    Raises PolicyError if a limit is not possible.
    """
    held = {rule.measure: rule for rule in policy.rules}
    rules = list[dict[str, object]]()
    for name in dict.fromkeys([*held, *limits]):
        known = held[name].model_dump(mode="json") if name in held else {"measure": name}
        low, high = limits.get(name, (known.get("low"), known.get("high")))
        if low is not None or high is not None:
            rules.append({**known, "low": low, "high": high})
    changed = Policy.parse({"name": f"{policy.name}, adjusted", "rules": rules})
    return policy if changed.rules == policy.rules else changed


@dataclass(frozen=True, slots=True, eq=False)
class Live:
    """Verdicts under some limits.

    kept: (N,) with the decisions by hand. passed: (N,) by the rules alone. failed: per rule, how many faces fail it.
    unknown: how many of the kept faces have a relation that was not computed.
    """

    kept: Mask
    passed: Mask
    failed: Mapping[str, int]
    unknown: int


class LiveJudge:
    """Judges the faces of one dataset whenever a limit moves."""

    def __init__(self, faces: Faces) -> None:
        self._faces = faces
        self._outcomes = OrderedDict[Rule, tuple[Mask, Mask | None]]()

    def judge(self, policy: Policy, hand: ByHand) -> Live:
        """The verdicts under a policy. hand: (N,) the decisions by hand."""
        passed, unknown = np.ones(len(self._faces), bool), np.zeros(len(self._faces), bool)
        failed = dict[str, int]()
        for rule in policy.rules:
            passes, lacks = self.outcome(rule)
            passed &= passes
            if lacks is not None:
                unknown |= lacks
            failed[rule.measure] = len(passes) - int(np.count_nonzero(passes))
        kept = (passed | (hand == KEEP)) & (hand != REJECT) if hand.any() else passed
        return Live(kept, passed, failed, int(np.count_nonzero(unknown & kept)))

    def outcome(self, rule: Rule) -> tuple[Mask, Mask | None]:
        """(N,) which faces pass a rule; and for a relation, (N,) for which it was not computed."""
        if rule not in self._outcomes:
            while len(self._outcomes) >= MOST_RULES:
                self._outcomes.popitem(last=False)
            self._outcomes[rule] = self._compute(rule)
        self._outcomes.move_to_end(rule)
        return self._outcomes[rule]

    def _compute(self, rule: Rule) -> tuple[Mask, Mask | None]:
        faces, values = self._faces, self._faces.measure(rule.measure)
        passes = rule.passes(values)
        if not is_relation(rule.measure) or rule.measure not in {one.measure for one in faces.policy.rules}:
            return passes, None
        lacks = np.isnan(values)
        said = np.array([str(rule.when_missing) in reasons for reasons in faces.patterns], bool)
        fails = lacks & said[faces.pattern] if not rule.optional and len(said) else np.zeros(len(values), bool)
        return passes | (lacks & ~fails), lacks & ~fails

"""Why a face was kept or not, rule by rule."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from facesieve.sieve.policy import Policy
from facesieve.sieve.rule import Rule


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule says of one face.

    value: None when it was not measured. limits: in words. reason: the code given when it did not pass, else "".
    text: all of it as one sentence.
    """

    measure: str
    value: float | None
    low: float | None
    high: float | None
    limits: str
    passed: bool
    reason: str
    text: str


def check_rules(policy: Policy, measures: Mapping[str, float | None]) -> list[Finding]:
    """One finding a rule, in rule order, for one face's measures by name; None, NaN or absent is not measured."""
    return [_finding(rule, measures.get(rule.measure)) for rule in policy.rules]


def _finding(rule: Rule, value: float | None) -> Finding:
    if value is None or math.isnan(value):
        reason = rule.when_missing
        text = f"{rule.measure} was not measured, and has to be {rule.limits()}. {reason.sentence}"
        return Finding(rule.measure, None, rule.low, rule.high, rule.limits(), False, str(reason), text)
    passed = bool(rule.passes(np.array([value]))[0])
    reading = f"{rule.measure} is {_shown(rule, value)}"
    if passed:
        text = f"{reading}, within the limit: {rule.limits()}."
        return Finding(rule.measure, value, rule.low, rule.high, rule.limits(), True, "", text)
    text = f"{reading}, but has to be {rule.limits()}. {rule.reason.sentence}"
    return Finding(rule.measure, value, rule.low, rule.high, rule.limits(), False, str(rule.reason), text)


def _shown(rule: Rule, value: float) -> str:
    """The value with as many digits as tell it from a limit that it is not equal to."""
    limits = {f"{limit:g}" for limit in (rule.low, rule.high) if limit is not None and limit != value}
    return next((text for digits in range(4, 17) if (text := f"{value:.{digits}g}") not in limits), repr(value))

"""What each rule of a policy says about one face, as numbers and as a sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from facesieve.quality import is_relation
from facesieve.sieve.policy import Policy
from facesieve.sieve.rule import Rule


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule says about one face.

    measure: its name. value: None when it was not measured. low, high: the limits, inclusive; None where there is none.
    limits: both in words. passed: also for a relation of a face that failed an earlier rule, as its rule says nothing
    about the face. reason: the code of the reason when the face did not pass, else "". text: all of it in words.
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
    """One finding for each rule, in the order of the rules.

    measures: of one face by name; one that is None, NaN or absent was not measured.
    """
    findings = list[Finding]()
    for rule in policy.rules:
        failed = not all(finding.passed for finding in findings)
        findings.append(_finding(rule, measures.get(rule.measure), failed))
    return findings


def _finding(rule: Rule, value: float | None, failed: bool) -> Finding:
    """failed: whether the face failed an earlier rule."""
    missing = value is None or math.isnan(value)
    if failed and is_relation(rule.measure):
        text = f"{rule.measure} was not computed for this face, because it failed an earlier rule."
        return Finding(rule.measure, None, rule.low, rule.high, rule.limits(), True, "", text)
    if (value is None or missing) and rule.optional:
        text = f"{rule.measure} is not known for this face, and the rule is optional."
        return Finding(rule.measure, None, rule.low, rule.high, rule.limits(), True, "", text)
    if value is None or missing:
        reason = rule.when_missing
        lack = "has no value" if reason == rule.reason else "was not measured"
        text = f"{rule.measure} {lack}, and has to be {rule.limits()}. {reason.sentence}"
        return Finding(rule.measure, None, rule.low, rule.high, rule.limits(), False, str(reason), text)
    passed = bool(rule.passes(np.array([value]))[0])
    reading = f"{rule.measure} is {_shown(rule, value)}"
    if passed:
        text = f"{reading}, within the limit: {rule.limits()}."
        return Finding(rule.measure, value, rule.low, rule.high, rule.limits(), True, "", text)
    text = f"{reading}, but has to be {rule.limits()}. {rule.reason.sentence}"
    return Finding(rule.measure, value, rule.low, rule.high, rule.limits(), False, str(rule.reason), text)


def _shown(rule: Rule, value: float) -> str:
    """The value with four digits, or with more if it would otherwise look equal to a limit that it is not equal to."""
    limits = {f"{limit:g}" for limit in (rule.low, rule.high) if limit is not None and limit != value}
    return next((text for digits in range(4, 17) if (text := f"{value:.{digits}g}") not in limits), repr(value))

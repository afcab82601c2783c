"""Measures to verdicts, all faces at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from facesieve.records import Floats, Measures, Verdict
from facesieve.sieve.policy import Policy, Rule
from facesieve.sieve.reasons import ANGLES, Reason


@dataclass(frozen=True, slots=True)
class Check:
    """One rule applied to one face: the measured value (NaN when there is none), and why it failed, or None."""

    rule: Rule
    value: float
    failed: Reason | None


def judge(policy: Policy, measures: Measures) -> list[Verdict]:
    """A verdict a face: kept when every rule is passed, else all failed reasons, each once, in the policy's order."""
    faces = len(next(iter(measures.columns.values())))
    reasons, failed = _failures(policy, measures, faces)
    patterns, face_pattern = np.unique(np.packbits(failed, axis=1), axis=0, return_inverse=True)
    bits = np.unpackbits(patterns, axis=1, count=len(reasons)).astype(bool)
    verdicts = [Verdict(not row.any(), tuple(np.array(reasons, object)[row])) for row in bits]
    return [verdicts[pattern] for pattern in face_pattern.ravel()]


def check(policy: Policy, measures: dict[str, float]) -> list[Check]:
    """Every rule of the policy on one face, in order."""
    checks = []
    for rule in policy.rules:
        value = measures[rule.measure]
        passed, known = _passed(rule, np.array([value]))[0], not np.isnan(value)
        checks.append(Check(rule, value, None if passed else rule.reason if known else _unknown(rule)))
    return checks


def _failures(policy: Policy, measures: Measures, faces: int) -> tuple[list[str], npt.NDArray[np.bool_]]:
    """Reason codes in the order they first appear in the policy, and which face failed for which: (faces, reasons)."""
    columns: dict[str, npt.NDArray[np.bool_]] = {}
    for rule in policy.rules:
        values = measures[rule.measure]
        unknown = np.isnan(values)
        for reason, failed in (
            (rule.reason, ~_passed(rule, values) & ~unknown),
            (_unknown(rule), unknown),
        ):
            columns[reason.value] = columns.get(reason.value, np.zeros(faces, bool)) | failed
    return list(columns), np.column_stack([np.zeros((faces, 0), bool), *columns.values()])


def _passed(rule: Rule, values: Floats) -> npt.NDArray[np.bool_]:
    low = -np.inf if rule.low is None else rule.low
    high = np.inf if rule.high is None else rule.high
    return (low <= values) & (values <= high)


def _unknown(rule: Rule) -> Reason:
    return Reason.POSE_NOT_MEASURED if rule.measure in ANGLES else Reason.NOT_MEASURED

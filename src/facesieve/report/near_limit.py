"""The faces that are nearest to a limit of the policy, on both sides of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from facesieve.dataset.manifests import Manifests
from facesieve.errors import UsageError
from facesieve.records import Floats
from facesieve.report.figures.faces import shortened
from facesieve.report.policy import policy_of
from facesieve.sieve import Policy, Reason, Rule


@dataclass(frozen=True, slots=True)
class NearFace:
    """A face near to a limit. value: its measure. passed: whether the value is within the limits of the rule."""

    face_id: str
    source: str
    label: str
    measure: str
    value: float
    limits: str
    passed: bool
    kept: bool

    def as_json(self) -> dict[str, Any]:
        """The columns as JSON values."""
        return asdict(self)

    def line(self) -> str:
        """One line of text."""
        side = "within " if self.passed else "outside"
        verdict = "kept" if self.kept else "rejected"
        return (
            f"{self.face_id}  {self.measure} {self.value:>9.5g}  {side} {self.limits:<12}  {verdict:<8}  {self.source}"
        )


def faces_near_limit(dataset: Manifests, reason: str, number: int) -> list[NearFace]:
    """Return the faces whose measures are nearest to the limits of the rules with this reason.

    number: how many faces on each side of the limits of each rule, at most. The nearest face within the limits is last
    before the nearest one outside, so that the list reads across the limit. Equal distances are ordered by face id.
    Raises UsageError `no_such_reason` if no rule of the policy has this reason, and `no_limit` for a reason that no
    limit decides, such as `pose_not_measured`.
    """
    policy = policy_of(dataset.about, dataset.layout)
    rules = [rule for rule in policy.rules if rule.reason == reason]
    if not rules:
        raise _no_rule(dataset, policy, reason)
    return [face for rule in rules for face in _near(dataset, rule, number)]


def _no_rule(dataset: Manifests, policy: Policy, reason: str) -> UsageError:
    for known in (Reason.POSE_NOT_MEASURED, Reason.NOT_MEASURED, Reason.BY_HAND):
        if known == reason:
            return UsageError("no_limit", f"No face is near to a limit of {reason}, which has none: {known.sentence}")
    names = ", ".join(dict.fromkeys(str(rule.reason) for rule in policy.rules))
    return UsageError(
        "no_such_reason",
        f"No rule of {dataset.layout.root} has the reason {shortened(reason)!r}; there are {names or 'no rules'}.",
    )


def _near(dataset: Manifests, rule: Rule, number: int) -> list[NearFace]:
    sides = dict[bool, list[tuple[float, NearFace]]]({True: [], False: []})
    columns = ["face_id", "source", "label", rule.measure, "kept"]
    for rows in dataset.face_tables(columns):
        values = np.asarray(rows[rule.measure].fill_null(np.nan), np.float64)
        distances, passed = _distances(rule, values), rule.passes(values)
        for side, held in sides.items():
            places = np.flatnonzero((passed == side) & np.isfinite(distances))
            nearest = places[np.argsort(distances[places], kind="stable")[:number]]
            for place, row in zip(nearest.tolist(), rows.take(nearest).to_pylist(), strict=True):
                value = row.pop(rule.measure)
                face = NearFace(**row, measure=rule.measure, value=value, limits=rule.limits(), passed=side)
                held.append((float(distances[place]), face))
            held.sort(key=lambda pair: (pair[0], pair[1].face_id))
            del held[number:]
    return [face for _, face in (*reversed(sides[True]), *sides[False])]


def _distances(rule: Rule, values: Floats) -> Floats:
    """(N,) float64 how far each value is from the nearest limit of the rule; NaN where it was not measured."""
    limits = [limit for limit in (rule.low, rule.high) if limit is not None]
    distances: Floats = np.min([np.abs(values - limit) for limit in limits], axis=0)
    return distances

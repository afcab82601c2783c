"""Why one face was kept or not: every rule of the policy with the face's own number beside its limits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from facesieve.dataset.read import Dataset
from facesieve.dataset.schema import BOX
from facesieve.sieve import Check, Policy, Rule, check


@dataclass(frozen=True, slots=True)
class Explanation:
    """A face, where it is, what it measures, and how it fared under each rule."""

    face: dict[str, Any]
    checks: tuple[Check, ...]
    measures: dict[str, float | None]

    def plain(self) -> dict[str, Any]:
        """As values that JSON holds."""
        checks = [
            {
                "measure": one.rule.measure,
                "value": self.measures[one.rule.measure],
                "low": one.rule.low,
                "high": one.rule.high,
                "failed": one.failed and one.failed.value,
            }
            for one in self.checks
        ]
        return {"face": self.face, "checks": checks, "measures": self.measures}

    def lines(self) -> Iterator[str]:
        """For a person to read."""
        face, box = self.face, [self.face[name] for name in BOX]
        yield f"face     {face['face_id']}"
        yield f"source   {face['source']}" + (f"   label {face['label']}" if face["label"] else "")
        yield "box      x {:.0f}, y {:.0f}, {:.0f} wide, {:.0f} high".format(*box)
        yield f"crop     {face['file_name'] or 'not written'}"
        yield "verdict  " + ("kept" if face["kept"] else "rejected: " + ", ".join(face["reasons"]))
        yield ""
        for one in self.checks:
            outcome = f"FAIL  {one.failed.value}: {one.failed.sentence}" if one.failed else "pass"
            number = _number(self.measures[one.rule.measure])
            yield f"{one.rule.measure:<28} {number:>12}   {_limits(one.rule):<16} {outcome}"
        ruled = {one.rule.measure for one in self.checks}
        for name, value in self.measures.items():
            if name not in ruled:
                yield f"{name:<28} {_number(value):>12}"


def explain(dataset: Dataset, prefix: str) -> Explanation:
    """The face whose id begins with `prefix`, under the policy of the dataset.

    Raises UsageError when no face or more than one begins so.
    """
    face = dataset.face(prefix)
    measures = {name: face.pop(name) for name in dataset.names}
    known = {name: math.nan if value is None else value for name, value in measures.items()}
    policy = Policy.model_validate(dataset.about["policy"])
    return Explanation(face, tuple(check(policy, known)), measures)


def _limits(rule: Rule) -> str:
    if rule.low is not None and rule.high is not None:
        return f"{rule.low:g} to {rule.high:g}"
    if rule.low is not None:
        return f"at least {rule.low:g}"
    return f"at most {rule.high:g}"


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.5g}"

"""Why one face was kept or not: every rule of the policy with the face's own number beside its limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from facesieve.dataset.read import Dataset
from facesieve.dataset.schema import BOX


@dataclass(frozen=True, slots=True)
class Check:
    """One rule on one face. value is None when it was not measured; low and high are None where there is no limit."""

    measure: str
    value: float | None
    low: float | None
    high: float | None
    reason: str
    passed: bool

    def limits(self) -> str:
        """The limits in words."""
        if self.low is not None and self.high is not None:
            return f"{self.low:g} to {self.high:g}"
        if self.low is not None:
            return f"at least {self.low:g}"
        return f"at most {self.high:g}" if self.high is not None else "any"


@dataclass(frozen=True, slots=True)
class Explanation:
    """A face, where it is, what it measures, and how it fared under each rule."""

    face: dict[str, Any]
    checks: tuple[Check, ...]
    measures: dict[str, float | None]

    def plain(self) -> dict[str, Any]:
        """As values that JSON holds."""
        return {"face": self.face, "checks": [asdict(check) for check in self.checks], "measures": self.measures}

    def lines(self) -> Iterator[str]:
        """For a person to read."""
        face, box = self.face, [self.face[name] for name in BOX]
        yield f"face     {face['face_id']}"
        yield f"source   {face['source']}" + (f"   label {face['label']}" if face["label"] else "")
        yield "box      x {:.0f}, y {:.0f}, {:.0f} wide, {:.0f} high".format(*box)
        yield f"crop     {face['file_name'] or 'not written'}"
        yield "verdict  " + ("kept" if face["kept"] else "rejected: " + ", ".join(face["reasons"]))
        yield ""
        for check in self.checks:
            outcome = "pass" if check.passed else f"FAIL  {check.reason}"
            yield f"{check.measure:<28} {_number(check.value):>12}   {check.limits():<18} {outcome}"
        ruled = {check.measure for check in self.checks}
        for name, value in self.measures.items():
            if name not in ruled:
                yield f"{name:<28} {_number(value):>12}"


def explain(dataset: Dataset, prefix: str) -> Explanation:
    """The face whose id begins with `prefix`, under the policy of the dataset.

    A rule passes when its reason is not among the verdict's: the verdict is what was decided, not decided anew.
    Raises UsageError when no face or more than one begins so.
    """
    face = dataset.face(prefix)
    measures = {name: face.pop(name) for name in dataset.names}
    checks = tuple(_check(rule, measures, face["reasons"]) for rule in dataset.about["policy"]["rules"])
    return Explanation(face, checks, measures)


def _check(rule: dict[str, Any], measures: dict[str, float | None], reasons: list[str]) -> Check:
    value, low, high = measures.get(rule["measure"]), rule.get("low"), rule.get("high")
    return Check(rule["measure"], value, low, high, rule["reason"], rule["reason"] not in reasons)


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.5g}"

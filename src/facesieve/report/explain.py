"""Why one face was kept or not: every rule of the policy with the face's own number beside its limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from facesieve.dataset.read import Manifests
from facesieve.dataset.schema import BOX
from facesieve.report.policy import policy_of
from facesieve.sieve import Finding, Reason
from facesieve.sieve import check_rules as find_out


@dataclass(frozen=True, slots=True)
class Explanation:
    """A face, where it is, what it measures, and how it fared under each rule.

    also: the rows of the same face under other labels, where the bytes of its picture lie at several paths.
    note: why the pose was not measured, or "".
    """

    face: dict[str, Any]
    also: tuple[dict[str, Any], ...]
    findings: tuple[Finding, ...]
    measures: dict[str, float | None]
    note: str = ""

    def plain(self) -> dict[str, Any]:
        """As values that JSON holds."""
        checks = [asdict(finding) for finding in self.findings]
        return {
            "face": self.face,
            "also": list(self.also),
            "checks": checks,
            "measures": self.measures,
            "note": self.note,
        }

    def lines(self) -> Iterator[str]:
        """For a person to read."""
        face, box = self.face, [self.face[name] for name in BOX]
        yield f"face     {face['face_id']}"
        for row in (face, *self.also):
            yield f"source   {row['source']}" + (f"   label {row['label']}" if row["label"] else "")
        yield "box      x {:.0f}, y {:.0f}, {:.0f} wide, {:.0f} high".format(*box)
        for row in (face, *self.also):
            yield f"crop     {row['file_name'] or 'not written'}"
        yield "verdict  " + ("kept" if face["kept"] else "rejected: " + ", ".join(face["reasons"]))
        yield ""
        for finding in self.findings:
            outcome = "pass" if finding.passed else f"FAIL  {finding.reason}: {finding.text}"
            yield f"{finding.measure:<28} {_number(finding.value):>12}   {finding.limits:<16} {outcome}"
        if self.note:
            yield f"note: {self.note}"
        ruled = {finding.measure for finding in self.findings}
        for name, value in self.measures.items():
            if name not in ruled:
                yield f"{name:<28} {_number(value):>12}"


def explain(dataset: Manifests, prefix: str) -> Explanation:
    """The face whose id begins with `prefix`, under the policy of the dataset.

    Raises UsageError when no face or more than one begins so, DatasetError where what is recorded is no policy.
    """
    face, *others = dataset.face(prefix)
    measures = {name: face[name] for name in dataset.names}
    face, *also = ({name: row[name] for name in row if name not in measures} for row in (face, *others))
    findings = tuple(find_out(policy_of(dataset.about, dataset.layout), measures))
    no_pose = any(finding.reason == Reason.POSE_NOT_MEASURED for finding in findings)
    note = _why_no_pose(dataset.about.origin.settings, measures["confidence"] or 0.0) if no_pose else ""
    return Explanation(face, tuple(also), findings, measures, note)


def _why_no_pose(settings: Mapping[str, Any], confidence: float) -> str:
    if settings.get("pose") == "none":
        return "The dataset was made without a pose model (pose = none)."
    floor = settings.get("measure_floor")
    if isinstance(floor, int | float) and confidence < floor:
        return f"Pose is measured only from confidence {floor:g} up (measure_floor)."
    return ""


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.5g}"

"""Why one face was kept or not: every rule of the policy with the face's own number beside its limits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from facesieve.dataset.read import Manifests
from facesieve.dataset.schema import BOX
from facesieve.errors import DatasetError, PolicyError
from facesieve.sieve import Finding, Policy
from facesieve.sieve import explain as find_out


@dataclass(frozen=True, slots=True)
class Explanation:
    """A face, where it is, what it measures, and how it fared under each rule."""

    face: dict[str, Any]
    findings: tuple[Finding, ...]
    measures: dict[str, float | None]

    def plain(self) -> dict[str, Any]:
        """As values that JSON holds."""
        checks = [asdict(finding) for finding in self.findings]
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
        for finding in self.findings:
            outcome = "pass" if finding.passed else f"FAIL  {finding.reason}: {finding.text}"
            yield f"{finding.measure:<28} {_number(finding.value):>12}   {finding.limits:<16} {outcome}"
        ruled = {finding.measure for finding in self.findings}
        for name, value in self.measures.items():
            if name not in ruled:
                yield f"{name:<28} {_number(value):>12}"


def explain(dataset: Manifests, prefix: str) -> Explanation:
    """The face whose id begins with `prefix`, under the policy of the dataset.

    Raises UsageError when no face or more than one begins so, DatasetError where what is recorded is no policy.
    """
    face = dataset.face(prefix)
    measures = {name: face.pop(name) for name in dataset.names}
    return Explanation(face, tuple(find_out(policy_of(dataset), measures)), measures)


def policy_of(dataset: Manifests) -> Policy:
    """The rules that a dataset was judged by. Raises DatasetError where what is recorded is no policy."""
    try:
        return Policy.parse(dataset.about.origin.policy.plain())
    except PolicyError as error:
        raise DatasetError("damaged_dataset", f"{dataset.layout.about} is damaged: {error.message}") from error


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.5g}"

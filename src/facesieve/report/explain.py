"""Why one face was kept or rejected: every rule of the policy, with the measure of the face and the limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc

from facesieve.dataset.manifests import Manifests, hashes_of_rows
from facesieve.dataset.tables.face_row import FaceRow
from facesieve.dataset.tables.schema import CROP_HASH
from facesieve.quality import mirrored_bits
from facesieve.relate import distances
from facesieve.report.label_note import label_note
from facesieve.report.policy import policy_of
from facesieve.sieve import Finding, Reason, check_rules


@dataclass(frozen=True, slots=True)
class Explanation:
    """A face with the outcome of each rule.

    face: its row. also: its rows under other labels, if the same picture lies at several paths.
    findings: one per rule, in order. note: which face is the main one or the fitter one, why the pose was not measured,
    or "".
    """

    face: FaceRow
    also: tuple[FaceRow, ...]
    findings: tuple[Finding, ...]
    note: str = ""

    @property
    def measures(self) -> Mapping[str, float | None]:
        """The raw numbers of the face by name; None means not measured."""
        return self.face.measures

    def as_json(self) -> dict[str, Any]:
        """The explanation as JSON values."""
        return {
            "face": self.face.as_json(),
            "also": [row.as_json() for row in self.also],
            "checks": [asdict(finding) for finding in self.findings],
            "measures": dict(self.measures),
            "note": self.note,
        }

    def lines(self) -> Iterator[str]:
        """Yield the lines of a text that explains the verdict."""
        face = self.face
        yield f"face     {face.face_id}"
        for row in (face, *self.also):
            yield f"source   {row.source}" + (f"   label {row.label}" if row.label else "")
        yield "box      x {:.0f}, y {:.0f}, {:.0f} wide, {:.0f} high".format(*face.box)
        for row in (face, *self.also):
            yield f"crop     {row.crop or 'not written'}"
        although = f" by hand, although: {', '.join(face.reasons)}" if face.reasons else ""
        yield "verdict  " + (f"kept{although}" if face.kept else "rejected: " + ", ".join(face.reasons))
        yield ""
        for finding, failed in zip(self.findings, self._failed_before(), strict=True):
            outcome = _outcome(finding, failed)
            yield f"{finding.measure:<32} {_number(finding.value):>12}   {finding.limits:<16} {outcome}"
        if self.note:
            yield f"note: {self.note}"
        ruled = {finding.measure for finding in self.findings}
        for name, value in self.measures.items():
            if name not in ruled:
                yield f"{name:<32} {_number(value):>12}"

    def _failed_before(self) -> Iterator[bool]:
        """Yield for each finding whether an earlier rule failed."""
        failed = False
        for finding in self.findings:
            yield failed
            failed = failed or not finding.passed


def explain_face(dataset: Manifests, prefix: str) -> Explanation:
    """Explain the verdict on the face whose id starts with `prefix`, under the policy of the dataset.

    Raises UsageError if no face or more than one starts with it, and DatasetError if the dataset records no valid
    policy.
    """
    face, *also = dataset.face(prefix)
    return explain_row(dataset, face, tuple(also))


def explain_row(dataset: Manifests, face: FaceRow, also: tuple[FaceRow, ...] = ()) -> Explanation:
    """Explain the verdict on one row of faces. also: the rows of the same face under other labels."""
    findings = tuple(check_rules(policy_of(dataset.about, dataset.layout), face.measures))
    reasons = {finding.measure: finding.reason for finding in findings if not finding.passed}
    notes = [_by_hand(dataset, face)]
    if Reason.POSE_NOT_MEASURED in reasons.values():
        notes.append(_why_no_pose(dataset.about.origin.settings, face.measures["confidence"] or 0.0))
    if "rank_in_picture" in reasons:
        notes.append(_main_face(dataset, face))
    if not {"label_distance", "label_margin"}.isdisjoint(reasons):
        notes.append(label_note(dataset, face))
    if Reason.LEAKED in reasons.values():
        notes.append(_leak(face))
    if Reason.NEAR_DUPLICATE in reasons.values():
        notes.append(_fitter_twin(dataset, face))
    return Explanation(face, also, findings, " ".join(filter(None, notes)))


def _main_face(dataset: Manifests, face: FaceRow) -> str:
    """Which face is the main one of the picture, and why."""
    for other in dataset.faces_of(face.source):
        if other.measures.get("rank_in_picture") == 1:
            theirs, own = (one.measures.get("prominence") for one in (other, face))
            why = f" (prominence {_number(theirs)} against {_number(own)})"
            if dataset.about.origin.identity and (theirs or 0) <= (own or 0):
                why = f", which is more like the other faces of {face.label!r}"
            return f"The main face of the picture is {other.face_id}{why}."
    return ""


def _leak(face: FaceRow) -> str:
    distance = face.measures.get("held_out_distance")
    return (
        "" if distance is None else f"It or its label is {distance:.2f} from a face of the dataset that was held out."
    )


def _fitter_twin(dataset: Manifests, face: FaceRow) -> str:
    """Which fitter face the face is a near-duplicate of."""
    distance, rank = face.measures.get("twin_distance"), face.measures.get("rank_among_duplicates")
    columns = ["face_id", "label", "fitness", "rank_among_duplicates", CROP_HASH]
    ours = dataset.crop_hash(face)
    if ours is None or rank is None:
        return ""
    for rows in dataset.face_tables(columns):
        rows = rows.filter(pc.equal(rows["rank_among_duplicates"], 1))
        hashes = hashes_of_rows(rows)
        near = distances(ours, hashes, mirrored_bits())
        near[~hashes.any(axis=1)] = np.inf
        for at in np.flatnonzero(near == distance).tolist() if distance is not None else []:
            other = {name: rows[name][at].as_py() for name in columns[:3]}
            if (other["face_id"], other["label"]) != (face.face_id, face.label):
                theirs, own = _whole(other["fitness"]), _whole(face.measures.get("fitness"))
                why = f"is fitter: {theirs} against {own}"
                if theirs == own:
                    why = f"comes first: both have a fitness of {theirs}"
                return f"Near-duplicate of {other['face_id']} (distance {distance:.2f}), which {why}."
    return ""


def _by_hand(dataset: Manifests, face: FaceRow) -> str:
    """Who decided about the face, when and why; "" if nobody did."""
    row = dataset.decisions.of(face.face_id)
    if row is None:
        return ""
    effects = {"keep": "kept it", "reject": "rejected it"}.get(row["verdict"], "")
    label = "" if row["label"] is None else f"gave it the label {row['label']!r}" if row["label"] else "took its label"
    what = " and ".join(filter(None, (effects, label))) or "withdrew an earlier decision"
    when = f"{row['when']:%Y-%m-%d %H:%M} UTC"
    return f"{row['who'] or 'A person'} {what} on {when}{': ' + row['why'] if row['why'] else ''}."


def _whole(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.0f}"


def _why_no_pose(settings: Mapping[str, Any], confidence: float) -> str:
    if settings.get("pose") == "none":
        return "The dataset was made without a pose model (pose = none)."
    floor = settings.get("measure_floor")
    if isinstance(floor, int | float) and confidence < floor:
        return f"Pose is measured only for faces with a confidence of {floor:g} or more (measure_floor)."
    return ""


def _outcome(finding: Finding, failed: bool) -> str:
    if not finding.passed:
        return f"FAIL  {finding.reason}: {finding.text}"
    if finding.value is None:
        return "-     an earlier rule failed" if failed else "pass  not known, and the rule is optional"
    return "pass"


def _number(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.5g}"

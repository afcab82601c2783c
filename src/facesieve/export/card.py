"""The card of an export: README.md with the YAML head that Hugging Face reads. It never names a source picture."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

import numpy as np

from facesieve.dataset.tables.schema import LEADING
from facesieve.export.left_out import LeftOut
from facesieve.export.plan import Plan
from facesieve.export.spec import ExportSpec
from facesieve.models.catalog import catalog
from facesieve.records import Floats
from facesieve.report.stats import bars, distribution, pose_counts

_SHOWN = (*LEADING, "sharpness", "inter_eye_distance", "fitness")
_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"))
_OPTIONS = ("by", "where", "rejected", "min_per_label", "max_per_label", "balance", "pairs", "seed")
_SIDES = {"low": "at least", "high": "at most"}
_LIMITS = """\
- A label is the name that a picture was filed under. FaceSieve does not check that a face belongs to the person.
- Faces that the detector missed are not in the dataset, and the policy selects by pose, light and sharpness. So groups
  of people for whom detector or policy work worse are under-represented. Measure that before you rely on it.
- Faces are personal data in many countries. Whoever passes this export on answers for the consent of these people."""


def card(plan: Plan) -> str:
    """The text of README.md."""
    return "\n".join([*_head(plan), "", *_body(plan), ""])


def _head(plan: Plan) -> Iterator[str]:
    """The YAML head. Texts of the user are written as JSON, which is YAML too."""
    total = int(plan.selection.taken.sum())
    yield "---"
    if plan.spec.licence:
        yield f"license: {json.dumps(plan.spec.licence)}"
    yield "tags: [face-recognition, aligned-faces, facesieve]"
    yield f"size_categories: [{next((name for most, name in _SIZES if total < most), '10M<n<100M')}]"
    if plan.kind.pattern:
        yield "configs:"
        yield "- config_name: default"
        yield "  data_files:"
        for split, count in plan.selection.counts.items():
            if count:
                yield f"  - split: {split}"
                yield f"    path: {json.dumps(plan.kind.pattern.format(split=split))}"
    yield "---"


def _body(plan: Plan) -> Iterator[str]:
    selection = plan.selection
    yield "# Aligned faces"
    yield ""
    yield f"{int(selection.taken.sum()):,} faces of {len(selection.labels):,} labels, as {plan.kind.sentence}."
    if plan.kind.pictures:
        yield (
            f"The pictures are {plan.spec.image}, {plan.size} x {plan.size} pixels, aligned to the template of ArcFace."
            " They are stored as RGB; OpenCV returns BGR."
        )
    yield ""
    if plan.kind.load:
        yield from ("```python", plan.kind.load, "```", "")
    yield from _table(("split", "faces"), selection.counts.items())
    yield ""
    yield from _licence(plan)
    yield from ("## How it was made", "", *_made(plan), "")
    if selection.left_out:
        yield from ("## What was left out", "")
        yield from _table(
            ("reason", "faces", "meaning"),
            ((code, n, LeftOut(code).sentence) for code, n in selection.left_out.items()),
        )
        yield ""
    yield from ("## Distributions", "", *_distributions(plan), "", "## Known limits", "", _LIMITS)


def _licence(plan: Plan) -> Iterator[str]:
    yield from ("## Licence and consent", "")
    yield f"Licence: {plan.spec.licence or 'not stated (`--license`)'}"
    yield ""
    consent = plan.spec.consent or "Consent of the people: not stated (`--consent-note`)"
    yield "\n".join(f"> {line}" for line in consent.splitlines())
    yield ""


def _made(plan: Plan) -> Iterator[str]:
    origin, spec = plan.dataset.about.origin, plan.spec
    versions = ", ".join(f"{name} {' and '.join(some)}" for name, some in origin.versions.items())
    yield f"- With FaceSieve. Versions: {versions}."
    yield f"- Policy `{origin.policy.name}`: {origin.policy.sentence}"
    for rule in origin.policy.rules:
        limits = ", ".join(f"{words} {rule[side]:g}" for side, words in _SIDES.items() if rule.get(side) is not None)
        yield f"    - {rule.get('measure')}: {limits}"
    for name, model in catalog().items():
        if any(key == name or key.startswith((f"{name}/", f"{name}.", f"{name} ")) for key in origin.models):
            yield f"- Model `{name}`: {model.title}, {model.licence}."
    chosen = {name: value for name, value in spec.as_json().items() if name in _OPTIONS and value != _default(name)}
    options = f" Options: `{json.dumps(chosen, ensure_ascii=False)}`." if chosen else ""
    yield f"- Split by `{plan.selection.by}`.{options}"


def _default(name: str) -> object:
    return ExportSpec.model_fields[name].default


def _distributions(plan: Plan) -> Iterator[str]:
    names = [name for name in _SHOWN if name in plan.dataset.names]
    held = {name: _taken(plan, name) for name in names}
    found = {name: distribution(numbers) for name, numbers in held.items()}
    rows = (
        (name, *(f"{one.percentiles[at]:.4g}" for at in (0, 2, 4)), bars(one.histogram))
        for name, one in found.items()
        if one.measured
    )
    yield from _table(("measure", "5 %", "median", "95 %", "from 5 to 95 %"), rows)
    yield ""
    poses = pose_counts(held["yaw"], held["pitch"])
    yield from _table(("pose", "faces"), ((name, n) for name, n in poses.items() if n))


def _taken(plan: Plan, name: str) -> Floats:
    columns = [np.asarray(rows[name].fill_null(np.nan), np.float64) for rows in plan.dataset.face_tables([name])]
    return np.concatenate([np.zeros(0), *columns])[plan.selection.taken]


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(f"{value:,}" if isinstance(value, int) else str(value) for value in row) + " |"

"""The report: one self-contained HTML page about a whole dataset, counted in one stream over its rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facesieve.dataset.manifests import Manifests
from facesieve.quality import measure_named
from facesieve.records import ANGLES
from facesieve.report.assemble import assemble
from facesieve.report.figures.block import Figure, face_blocks
from facesieve.report.figures.clips import TimeLines
from facesieve.report.figures.first_look import first_look
from facesieve.report.figures.joint import VIEWS, JointCounts
from facesieve.report.figures.labels import ORDERS, LabelRows
from facesieve.report.figures.limits import LimitCounts
from facesieve.report.figures.nearest import NearestFaces
from facesieve.report.figures.pictures import count_pictures
from facesieve.report.figures.verdicts import VerdictCounts
from facesieve.report.made import dataset_id, made, policy_values
from facesieve.report.policy import policy_of
from facesieve.report.stats import funnel
from facesieve.report.thumbs import as_text, thumbnails

MARK = b"<title>FaceSieve report</title>"  # every report has it near its beginning
LABELS = 200  # rows of labels, unless the user asks for another number
SECTIONS = (
    *("report", "page", "verdict", "column", "action", "unit", "pose", "step"),
    *("reason", "reason_sentence", "measure", "measure_sentence", "refusal", "refusal_sentence"),
)

PLOTS = ("plots/d3.min.js", "plots/plot.umd.min.js")
PARTS = ("head", "limits", "joint", "nearest", "labels", "clips", "inputs", "made", "draw")
SCRIPTS = (*PLOTS, *(f"page/report/{part}.js" for part in PARTS))


def report_page(dataset: Manifests, labels: int = LABELS, language: str | None = None) -> bytes:
    """The report of a dataset, as UTF-8.

    labels: at most so many labels have a row. language: the code of the language it begins with; None takes that of the
    browser. Raises DatasetError if a file of the dataset is damaged, and UsageError for an unknown language.
    """
    return assemble("report", "FaceSieve report", SCRIPTS, report_facts(dataset, labels), SECTIONS, language)


def report_facts(dataset: Manifests, labels: int = LABELS) -> Mapping[str, Any]:
    """Everything that the report shows, as JSON values. Its size does not depend on the number of faces."""
    policy, pictures = policy_of(dataset.about, dataset.layout), count_pictures(dataset)
    look = first_look(dataset, policy)
    known = [found for name in dataset.names if name in look.scales and (found := measure_named(name))]
    limits = [LimitCounts(measure, look.scales[measure.name], policy) for measure in known]
    joint = [JointCounts(*names, look.scales) for names in VIEWS if set(names) <= set(look.scales)]
    nearest = [NearestFaces(rule, number) for number, rule in enumerate(policy.rules)]
    rows = LabelRows(look.labels, labels, next((name for name in ORDERS if name in look.scales), "confidence"))
    clips = TimeLines(pictures.clips, pictures.all_clips)
    verdicts = VerdictCounts()
    figures: list[Figure] = [verdicts, *limits, *joint, *nearest, rows, clips]
    for block in face_blocks(dataset, policy, dataset.names):
        for figure in figures:
            figure.add(block)
    facts = {
        "name": dataset.layout.root.absolute().name,
        "id": dataset_id(dataset.layout),
        "made": made(dataset.about),
        "policy": policy_values(policy),
        "angles": ANGLES,
        "counts": {**dataset.about.counts.as_json(), **verdicts.as_json()},
        "funnel": list(funnel(dataset).items()),
        "measures": [one.as_json() for one in limits],
        "joint": [one.as_json() for one in joint],
        "nearest": [one.as_json() for one in nearest],
        "labels": rows.as_json(),
        "pictures": pictures.as_json(),
        "clips": clips.as_json(),
    }
    return {**facts, "thumbs": as_text(thumbnails(dataset.layout, face_ids(facts)))}


def face_ids(facts: Any) -> set[str]:
    """The ids of all faces in some JSON values."""
    if isinstance(facts, Mapping):
        mine = {facts["face_id"]} if "face_id" in facts else set()
        return mine.union(*map(face_ids, facts.values()))
    return set().union(*map(face_ids, facts)) if isinstance(facts, list | tuple) else set()

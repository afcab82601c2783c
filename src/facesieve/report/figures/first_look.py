"""A first look at a dataset: how large each label is, and a sample of each measure, which fixes its scale."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from facesieve.dataset.disk.parquet import ROW_GROUP
from facesieve.dataset.manifests import Manifests, measures_of_rows
from facesieve.quality import measure_named
from facesieve.records import Floats
from facesieve.report.figures.scale import Scale, scale_of
from facesieve.sieve import Policy

SAMPLED = 16  # groups of rows whose measures are read
PER_GROUP = 20_000  # rows of each of them, evenly spaced


@dataclass(frozen=True, slots=True)
class FirstLook:
    """What fixes the form of the report. labels: faces and kept faces by label. scales: by measure that has values."""

    labels: dict[str, tuple[int, int]]
    scales: dict[str, Scale]


def first_look(dataset: Manifests, policy: Policy) -> FirstLook:
    """Read all labels, and the measures in some groups of rows."""
    faces, kept = Counter[str](), Counter[str]()
    for rows in dataset.face_tables(["label", "kept"]):
        _count(faces, rows["label"])
        _count(kept, rows.filter(rows["kept"])["label"])
    limits = {rule.measure: [one for one in (rule.low, rule.high) if one is not None] for rule in policy.rules}
    samples = _samples(dataset)
    scales = {name: _scale(name, sample, limits.get(name, ())) for name, sample in samples.items()}
    return FirstLook(
        {label: (number, kept[label]) for label, number in faces.items()},
        {name: scale for name, scale in scales.items() if scale},
    )


def _count(counter: Counter[str], labels: object) -> None:
    for item in pc.value_counts(labels).to_pylist():
        counter[item["values"] or ""] += item["counts"]


def _samples(dataset: Manifests) -> dict[str, Floats]:
    """Values of each measure, without NaN, from groups of rows that are evenly spread over the dataset."""
    groups = -(-dataset.about.counts.faces // ROW_GROUP)
    wanted = set(np.linspace(0, groups - 1, min(groups, SAMPLED)).round().astype(int).tolist())
    found: dict[str, list[Floats]] = {name: [] for name in dataset.names}
    for number, rows in enumerate(dataset.face_tables(dataset.names)):
        if number in wanted:
            some = rows.take(np.linspace(0, len(rows) - 1, min(len(rows), PER_GROUP)).round().astype(np.int64))
            for name, values in measures_of_rows(some, dataset.names).columns.items():
                found[name].append(values[~np.isnan(values)])
    return {name: np.concatenate([np.zeros(0), *values]) for name, values in found.items()}


def _scale(name: str, sample: Floats, limits: Iterable[float]) -> Scale | None:
    measure = measure_named(name)
    return scale_of(measure, sample, limits) if measure else None

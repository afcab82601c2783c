"""Whole labels: how well the faces of each belong together, and what looks wrong. It runs no network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from facesieve.dataset.disk.atomic import wrap_write_errors
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.parquet import table_bytes
from facesieve.dataset.disk.replace import replace_published_file
from facesieve.records import Floats, Indices
from facesieve.relate import nearest_labels
from facesieve.run.comparisons import Comparisons
from facesieve.run.label_findings import LabelFinding, label_findings

PEOPLE_SCHEMA = pa.schema(
    [
        pa.field("label", pa.string()),
        *(pa.field(name, pa.int64()) for name in ("faces", "kept", "embedded")),
        pa.field("spread", pa.float64()),
        pa.field("suspicious", pa.list_(pa.string())),
        pa.field("duplicates", pa.int64()),
        pa.field("resembles", pa.string()),
        pa.field("resembles_distance", pa.float64()),
        pa.field("findings", pa.list_(pa.string())),
    ]
)


@dataclass(frozen=True, slots=True)
class LabelSummary:
    """One label: a row of `people.parquet`.

    label: "" for faces without one. faces, kept, embedded: how many it has, are kept, and are kept with an embedding.
    spread: the median distance of a kept face from the centre of the others; None without a centre.
    suspicious: the ids of kept faces that are not like the others, or are near to a held-out face.
    duplicates: how many kept faces have a fitter near-duplicate.
    resembles, resembles_distance: the label with the nearest centre, and its distance; None if there is none.
    findings: the kinds of the findings about it.
    """

    label: str
    faces: int
    kept: int
    embedded: int
    spread: float | None
    suspicious: tuple[str, ...]
    duplicates: int
    resembles: str | None
    resembles_distance: float | None
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class People:
    """All labels of a dataset, by name, and what looks wrong. notes: sentences about what could not be compared."""

    labels: tuple[LabelSummary, ...]
    findings: tuple[LabelFinding, ...]
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return asdict(self)

    @property
    def table(self) -> pa.Table:
        """One row for each label, as `people.parquet` has it."""
        return pa.Table.from_pylist([asdict(one) for one in self.labels], schema=PEOPLE_SCHEMA)


def people_of(found: Comparisons, root: Path) -> People:
    """The labels of a dataset. root: its folder, for messages."""
    findings = label_findings(found)
    return People(tuple(_summaries(found, findings)), tuple(findings), tuple(_notes(found, root)))


def write_people(people: People, layout: Layout) -> None:
    """Write `people.parquet` and its checksum. Raises DatasetError if they cannot be written."""
    replace_published_file(table_bytes(people.table), layout.people, layout)
    with wrap_write_errors(layout.scratch):
        layout.scratch.rmdir()


def _summaries(found: Comparisons, findings: Sequence[LabelFinding]) -> Iterator[LabelSummary]:
    kinds = dict[str, dict[str, None]]()
    for name, kind in ((name, finding.kind) for finding in findings for name in finding.labels):
        kinds.setdefault(name, {})[kind] = None
    nearest = _nearest_labels(found)
    for name, rows in sorted(_rows_by_label(found).items()):
        yield _summary(found, name, rows, nearest.get(name, (None, None)), tuple(kinds.get(name, ())))


def _rows_by_label(found: Comparisons) -> dict[str, Indices]:
    label = found.faces.label
    order = np.argsort(label, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    return {found.label(rows[0]): rows for rows in groups if len(rows)}


def _nearest_labels(found: Comparisons) -> dict[str, tuple[str | None, float | None]]:
    if found.by_embedding is None:
        return {}
    centres, names = found.by_embedding.fit.centres, found.faces.labels
    other, away = nearest_labels(centres, found.by_embedding.space)
    numbers = centres.labels.tolist()
    rows = zip(numbers, other.tolist(), away.tolist(), strict=True)
    return {names[number]: (names[numbers[to]], distance) for number, to, distance in rows if to >= 0}


def _summary(
    found: Comparisons, name: str, rows: Indices, nearest: tuple[str | None, float | None], kinds: tuple[str, ...]
) -> LabelSummary:
    by, kept = found.by_embedding, rows[found.kept[rows]]
    suspicious = kept[found.leaked[kept] | by.wrong[kept]] if by else kept[found.leaked[kept]]
    return LabelSummary(
        label=name,
        faces=len(rows),
        kept=len(kept),
        embedded=int(np.isfinite(by.vectors[kept, 0]).sum()) if by else 0,
        spread=_median(by.fit.label_distance[kept]) if by else None,
        suspicious=tuple(sorted(map(found.face_id, suspicious.tolist()))),
        duplicates=int((found.twins.rank_among_duplicates[kept] > 1).sum()),
        resembles=nearest[0],
        resembles_distance=nearest[1],
        findings=kinds,
    )


def _median(values: Floats) -> float | None:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else None


def _notes(found: Comparisons, root: Path) -> Iterator[str]:
    if found.by_embedding is None:
        yield (
            f"{root} has no embeddings, so nothing says whether faces belong to their labels. Add them with"
            f" `facesieve identify {root} --identity dlib-resnet`."
        )
    if found.held_out and found.held_out.note:
        yield found.held_out.note
    labels = len(found.faces.labels)
    if not labels:
        yield f"No face of {root} has a label."
    lacking = labels - len(found.by_embedding.fit.centres.labels) if found.by_embedding else 0
    if lacking:
        yield (
            f"The faces of {lacking} of {labels} labels were not compared with each other: fewer than {found.least} are"
            " kept and have an embedding, or no two are alike."
        )

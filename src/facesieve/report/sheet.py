"""The contact sheet: one self-contained HTML page with the faces, their measures, verdicts and reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.about import read_about
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.parquet import read_groups
from facesieve.dataset.tables.counts import Counts
from facesieve.dataset.tables.face_row import FaceRow, face_rows
from facesieve.dataset.tables.schema import measure_columns
from facesieve.quality import measure_named
from facesieve.report.assemble import assemble
from facesieve.report.made import dataset_id, policy_values
from facesieve.report.others import OtherFace, other_faces
from facesieve.report.policy import policy_of
from facesieve.report.spread import Spread
from facesieve.report.thumbs import as_text, thumbnails
from facesieve.sieve import Policy, check_rules

SCRIPTS = tuple(f"page/sheet/{part}.js" for part in ("tiles", "details", "inputs", "show"))
SECTIONS = (
    *("sheet", "page", "verdict", "column", "action", "unit", "other"),
    *("reason", "reason_sentence", "measure", "measure_sentence", "refusal", "refusal_sentence"),
)


def contact_sheet(layout: Layout, most: int) -> bytes:
    """The contact sheet of a dataset whose manifests and `dataset.json` are published, as UTF-8.

    It shows at most `most` kept and `most` rejected faces, and names as many refused pictures and pictures without a
    face. If there are more, it shows an evenly spaced selection and says so. Raises DatasetError if a manifest or
    `dataset.json` cannot be read.
    """
    about = read_about(layout)
    counts, policy = about.counts, policy_of(about, layout)
    names = measure_columns(about.origin.measures)
    kept, rejected = _chosen_faces(layout, counts, most)
    chosen = [row for table in (*kept, *rejected) for row in face_rows(_by_tracks(table), names)]
    others = other_faces(pa.concat_tables(rejected), partial(_faces, layout)) if rejected else {}
    shown = [*(row.face_id for row in chosen), *(other.face_id for other in others.values())]
    facts = {
        "id": dataset_id(layout),
        "counts": counts.as_json(),
        "policy": policy_values(policy),
        "measures": [{"name": name, "unit": _unit(name)} for name in names],
        "faces": [_face(row, policy, others.get((row.face_id, row.label))) for row in chosen],
        "thumbs": as_text(thumbnails(layout, shown)),
        **_pictures(layout, counts, most),
    }
    return assemble("sheet", "Contact sheet", SCRIPTS, facts, SECTIONS)


def _chosen_faces(layout: Layout, counts: Counts, most: int) -> tuple[list[pa.Table], list[pa.Table]]:
    """The kept and the rejected faces that are shown."""
    kept, rejected = Spread(counts.kept, most), Spread(counts.rejected, most)
    for rows in _faces(layout):
        kept.add(rows.filter(rows["kept"]))
        rejected.add(rows.filter(pc.invert(rows["kept"])))
    return kept.chosen, rejected.chosen


def _pictures(layout: Layout, counts: Counts, most: int) -> Mapping[str, Any]:
    """The refused pictures and those without a face, with how many there are of each."""
    without = sum(
        int(pc.sum(_without_face(rows)).as_py() or 0) for rows in _rows(layout, layout.pictures, ["faces", "refusal"])
    )
    refused, empty = Spread(counts.refused, most), Spread(without, most)
    for rows in _rows(layout, layout.pictures, ["source", "faces", "refusal", "message"]):
        refused.add(rows.filter(pc.is_valid(rows["refusal"])).select(["source", "refusal", "message"]))
        empty.add(rows.filter(_without_face(rows)).select(["source"]))
    return {
        "refused": [list(row.values()) for table in refused.chosen for row in table.to_pylist()],
        "without_face": [without, [row["source"] for table in empty.chosen for row in table.to_pylist()]],
    }


def _without_face(pictures: pa.Table) -> pa.ChunkedArray:
    return pc.and_(pc.is_null(pictures["refusal"]), pc.equal(pictures["faces"].fill_null(0), 0))


def _faces(layout: Layout, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    return _rows(layout, layout.faces, columns)


def _rows(layout: Layout, manifest: Path, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    return (rows for path in layout.files_of(manifest) for rows in read_groups(path, columns))


def _by_tracks(rows: pa.Table) -> pa.Table:
    """The rows with the faces of each clip in the order of tracks; those of still pictures stay where they are."""
    if "track" not in rows.column_names:
        return rows
    names = rows["source"].combine_chunks().dictionary_encode().indices
    keys = pa.table([names, rows["track"], rows["time"]], names=["source", "track", "time"])
    order = pc.sort_indices(keys, [(name, "ascending") for name in keys.column_names])
    return rows.take(order)


def _face(face: FaceRow, policy: Policy, other: OtherFace | None) -> Mapping[str, Any]:
    """One face as JSON values. failed: [measure, value, low, high, reason] of each rule that it fails."""
    findings = (finding for finding in check_rules(policy, face.measures) if not finding.passed)
    clip = {} if face.time is None else {"time": face.time, "track": face.track}
    return {
        "face_id": face.face_id,
        "source": face.source,
        "label": face.label,
        "kept": face.kept,
        "reasons": face.reasons,
        "failed": [[one.measure, one.value, one.low, one.high, one.reason] for one in findings],
        "size": [round(side) for side in face.box[2:]],
        "values": [_short(value) for value in face.measures.values()],
        **clip,
        **({"other": asdict(other)} if other else {}),
    }


def _short(value: float | None) -> float | None:
    """A value with seven digits, which is more than the page shows."""
    return None if value is None else float(f"{value:.7g}")


def _unit(name: str) -> str:
    measure = measure_named(name)
    return measure.unit if measure else ""

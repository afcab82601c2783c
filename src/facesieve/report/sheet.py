"""The contact sheet: one self-contained HTML page with the faces, their measures, verdicts and reasons."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from html import escape
from importlib import resources
from pathlib import Path
from string import Template

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.about import read_about
from facesieve.dataset.disk.checksums import read_checksums
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.parquet import read_groups, read_table
from facesieve.dataset.tables.counts import Counts
from facesieve.dataset.tables.face_row import FaceRow, face_rows
from facesieve.dataset.tables.schema import LEADING, measure_columns
from facesieve.errors import DatasetError
from facesieve.report.others import OtherFace, other_faces
from facesieve.report.policy import policy_of
from facesieve.sieve import Policy, check_rules

# The style of the other face in a card.
PAIRS = """
.other { display: grid; grid-template-columns: 4rem minmax(0, 1fr); gap: .5rem; align-items: center;
  margin: .4rem 0 0; }
article .other img, article .other .blank { width: 4rem; height: 4rem; }
.other figcaption { font-size: .75rem; color: var(--faint); overflow-wrap: anywhere; }"""


def contact_sheet(layout: Layout, most: int) -> bytes:
    """The contact sheet of a dataset whose manifests and `dataset.json` are published, as UTF-8.

    It shows at most `most` kept and `most` rejected faces. If there are more, it shows an evenly spaced selection and
    says so. Raises DatasetError if a manifest or `dataset.json` cannot be read.
    """
    about = read_about(layout)
    counts, policy = about.counts, policy_of(about, layout)
    names = measure_columns(about.origin.measures)
    kept, rejected = _Selection(counts.kept, most), _Selection(counts.rejected, most)
    for rows in _faces(layout):
        kept.add(rows.filter(rows["kept"]))
        rejected.add(rows.filter(pc.invert(rows["kept"])))
    tables = (*map(_by_tracks, kept.chosen), *map(_by_tracks, rejected.chosen))
    chosen = [row for table in tables for row in face_rows(table, names)]
    others = other_faces(pa.concat_tables(rejected.chosen), partial(_faces, layout)) if rejected.chosen else {}
    thumbs = _thumbs(layout, [*(row.face_id for row in chosen), *(other.face_id for other in others.values())])
    page = Template(resources.files("facesieve.report").joinpath("sheet.html").read_text(encoding="utf-8"))
    return page.substitute(
        pairs=PAIRS if others else "",
        books=_books(counts),
        policy=_policy(policy),
        reasons="".join(f'<option value="{escape(code)}">{_words(code)}</option>' for code in counts.reasons),
        note=_note(counts, len(chosen)),
        cards="\n".join(_card(row, thumbs, policy, others.get((row.face_id, row.label))) for row in chosen),
        refusals=_refusals(layout, counts.refused, most),
    ).encode()


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


class _Selection:
    """Selects at most `most` of `total` rows, evenly spaced, from tables that arrive one after the other."""

    def __init__(self, total: int, most: int) -> None:
        few = np.arange(total) if total <= most else np.linspace(0, total - 1, most).round().astype(np.int64)
        self._wanted, self._seen = few, 0
        self.chosen: list[pa.Table] = []

    def add(self, rows: pa.Table) -> None:
        """Select from the next rows."""
        start, end = np.searchsorted(self._wanted, [self._seen, self._seen + len(rows)])
        self.chosen.append(rows.take(pa.array(self._wanted[start:end] - self._seen)))
        self._seen += len(rows)


def _thumbs(layout: Layout, faces: Sequence[str]) -> dict[str, bytes]:
    """The thumbnails of these faces, as JPEG by face id. A face can lack one."""
    wanted = pa.array(faces, pa.string())
    found: dict[str, bytes] = {}
    for number in layout.numbers(layout.thumbs):
        path = layout.thumbs_of(number)
        try:
            rows = read_table(path, known=read_checksums(layout.sums_of(number)).get(layout.name_of(path), frozenset()))
        except DatasetError as error:
            if error.code == "not_a_dataset":  # it was removed meanwhile; the build reports that at its end
                continue
            raise
        rows = rows.filter(pc.is_in(rows["face_id"], wanted))
        found |= dict(zip(*(column.to_pylist() for column in rows.columns), strict=True))
    return found


def _books(counts: Counts) -> str:
    tiles = [
        ("", "pictures", counts.pictures),
        ("", "read", counts.with_rows),
        ("", "refused", counts.refused),
        ("", "faces", counts.faces),
        ("kept", "kept", counts.kept),
        ("rejected", "rejected", counts.rejected),
    ]
    return "".join(f'<div class="{kind}"><b>{number:,}</b><span>{name}</span></div>' for kind, name, number in tiles)


def _note(counts: Counts, shown: int) -> str:
    if shown == counts.faces:
        return ""
    return f"{shown:,} of {counts.faces:,} faces are on this page, evenly spaced; faces.parquet has all of them."


def _policy(policy: Policy) -> str:
    rules = ", ".join(f"<span>{escape(rule.measure)} {escape(rule.limits())}</span>" for rule in policy.rules)
    return f"<b>{escape(policy.name)}</b>: " + (rules or "no rules, every face is kept")


def _card(face: FaceRow, thumbs: Mapping[str, bytes], policy: Policy, other: OtherFace | None) -> str:
    """One face: the measures that the policy uses, with failed ones highlighted, and the others folded away.

    thumbs: small JPEGs by face id. other: the face that its reason is about, which is shown beside it.
    """
    verdict = "kept" if face.kept else "rejected"
    reasons = "".join(f"<li>{_words(code)}</li>" for code in face.reasons)
    label = f" · {escape(face.label)}" if face.label else ""
    measures = face.measures
    findings = check_rules(policy, measures)
    shown = dict.fromkeys([*(finding.measure for finding in findings), *LEADING])
    facts = {name: f"{measures[name]:.4f}" if name == "confidence" else _number(measures.get(name)) for name in shown}
    facts["size"] = "{:.0f} × {:.0f}".format(*face.box[2:])
    failed = {finding.measure for finding in findings if not finding.passed}
    rest = {name: _number(value) for name, value in measures.items() if name not in shown}
    rest["face"] = face.face_id
    return (
        f'<article class="{verdict}" data-reasons="{escape(" ".join(face.reasons))}">{_image(thumbs.get(face.face_id))}'
        f'<div class="verdict"><b>{verdict}</b>'
        + (f'<ul class="why">{reasons}</ul>' if reasons else "")
        + (_pair(other, thumbs.get(other.face_id)) if other else "")
        + f'<div class="from">{_from(face)}{label}</div></div>'
        f'<div class="facts">{_list(facts, failed)}</div>'
        f"<details><summary>other measures</summary>{_list(rest)}</details></article>"
    )


def _from(face: FaceRow) -> str:
    """Where the face comes from; for a face in a clip also its track, and its second as a link that opens the clip."""
    if face.time is None:
        return escape(face.source)
    second = f"{face.time:.1f} s"
    if Path(face.source).is_absolute():
        second = f'<a href="{escape(Path(face.source).as_uri())}#t={face.time:.1f}">{second}</a>'
    return f"{escape(face.source)} · track {face.track} · {second}"


def _pair(other: OtherFace, thumb: bytes | None) -> str:
    label = f" · {escape(other.label)}" if other.label else ""
    return (
        f'<figure class="other">{_image(thumb)}<figcaption>{escape(other.words)}: '
        f"{escape(other.source)}{label}</figcaption></figure>"
    )


def _image(thumb: bytes | None) -> str:
    if thumb is None:
        return '<div class="blank"></div>'
    return f'<img alt="" loading="lazy" src="data:image/jpeg;base64,{base64.b64encode(thumb).decode()}">'


def _list(facts: dict[str, str], failed: Collection[str] = ()) -> str:
    """Names and values as a definition list. failed: the names to highlight."""
    rows = (
        f"<dt>{escape(name)}</dt><dd{' class=failed' if name in failed else ''}>{escape(value)}</dd>"
        for name, value in facts.items()
    )
    return f"<dl>{''.join(rows)}</dl>"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _words(code: str) -> str:
    return escape(code.replace("_", " "))


def _refusals(layout: Layout, refused: int, most: int) -> str:
    if not refused:
        return ""
    some = _Selection(refused, most)
    for pictures in _rows(layout, layout.pictures):
        some.add(pictures.filter(pc.is_valid(pictures["refusal"])).select(["source", "refusal", "message"]))
    columns = [pa.concat_tables(some.chosen)[name].to_pylist() for name in ("source", "refusal", "message")]
    rows = "".join(
        f"<tr><td>{escape(source)}</td><td>{_words(code)}</td><td>{escape(message or '')}</td></tr>"
        for source, code, message in zip(*columns, strict=True)
    )
    more = f" ({most:,} of {refused:,})" if refused > most else ""
    return f"<h2>Refused pictures{more}</h2><table><tr><th>source</th><th>code</th><th>why</th></tr>{rows}</table>"

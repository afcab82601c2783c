"""The contact sheet: one page, no other file and no host, with faces, their numbers and the reasons why."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterator, Sequence
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.about import read_about
from facesieve.dataset.disk.checksums import read_checksums
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.parquet import read_groups, read_table
from facesieve.dataset.tables.counts import Counts
from facesieve.dataset.tables.schema import BOX, LANDMARKS, LEADING
from facesieve.errors import DatasetError
from facesieve.report.policy import policy_of
from facesieve.sieve import Policy
from facesieve.sieve import check_rules as find_out

HEADLINE = ("confidence", "pitch", "yaw", "roll", "blur")
ELSEWHERE = {
    "face_id", "picture_id", "source", "label", "kept", "reasons", "file_name", *BOX, *LANDMARKS, *LEADING
}  # fmt: skip


def contact_sheet(layout: Layout, most: int) -> bytes:
    """The page of a dataset whose manifests and `dataset.json` are published.

    It has at most `most` kept and `most` rejected faces. More are thinned evenly, and the page says so.
    Raises DatasetError when a manifest or `dataset.json` is unreadable.
    """
    about = read_about(layout)
    counts, policy = about.counts, policy_of(about, layout)
    kept, rejected = _Thinned(counts.kept, most), _Thinned(counts.rejected, most)
    for rows in _rows(layout, layout.faces):
        kept.add(rows.filter(rows["kept"]))
        rejected.add(rows.filter(pc.invert(rows["kept"])))
    chosen = [*kept.chosen, *rejected.chosen]
    thumbs = _thumbs(layout, [row["face_id"] for row in chosen])
    page = Template(resources.files("facesieve.report").joinpath("sheet.html").read_text(encoding="utf-8"))
    return page.substitute(
        books=_books(counts),
        policy=_policy(policy),
        reasons="".join(f'<option value="{escape(code)}">{_words(code)}</option>' for code in counts.reasons),
        note=_note(counts, len(chosen)),
        cards="\n".join(_card(row, thumbs.get(row["face_id"]), policy) for row in chosen),
        refusals=_refusals(layout, counts.refused, most),
    ).encode()


def _rows(layout: Layout, manifest: Path) -> Iterator[pa.Table]:
    return (rows for path in layout.files_of(manifest) for rows in read_groups(path))


class _Thinned:
    """At most `most` of `total` rows, evenly spaced, as they come by."""

    def __init__(self, total: int, most: int) -> None:
        few = np.arange(total) if total <= most else np.linspace(0, total - 1, most).round().astype(np.int64)
        self._wanted, self._seen = few, 0
        self.chosen: list[dict[str, Any]] = []

    def add(self, rows: pa.Table) -> None:
        """The next rows."""
        start, end = np.searchsorted(self._wanted, [self._seen, self._seen + len(rows)])
        self.chosen += rows.take(pa.array(self._wanted[start:end] - self._seen)).to_pylist()
        self._seen += len(rows)


def _thumbs(layout: Layout, faces: Sequence[str]) -> dict[str, bytes]:
    """Small JPEGs by face id, as far as the build left them."""
    wanted = pa.array(faces, pa.string())
    found: dict[str, bytes] = {}
    for number in layout.numbers(layout.thumbs):
        path = layout.thumbs_of(number)
        try:
            rows = read_table(path, known=read_checksums(layout.sums_of(number)).get(layout.name_of(path), frozenset()))
        except DatasetError as error:
            if error.code == "not_a_dataset":  # it went away just now, and the build says so at its end
                continue
            raise
        rows = rows.filter(pc.is_in(rows["face_id"], wanted))
        found |= dict(zip(*(column.to_pylist() for column in rows.columns), strict=True))
    return found


def _books(counts: Counts) -> str:
    tiles = [
        ("", "pictures", counts.pictures),
        ("", "with rows", counts.with_rows),
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


def _card(row: dict[str, Any], thumb: bytes | None, policy: Policy) -> str:
    """One face: what the policy judges by, what it failed, and the rest folded away."""
    verdict = "kept" if row["kept"] else "rejected"
    reasons = "".join(f"<li>{_words(code)}</li>" for code in row["reasons"])
    label = f" · {escape(row['label'])}" if row["label"] else ""
    findings = find_out(policy, row)
    shown = dict.fromkeys([*(finding.measure for finding in findings), *HEADLINE])
    facts = {name: f"{row[name]:.4f}" if name == "confidence" else _number(row.get(name)) for name in shown}
    facts["size"] = f"{row['box_w']:.0f} × {row['box_h']:.0f}"
    failed = {finding.measure for finding in findings if not finding.passed}
    rest = {name: _number(value) for name, value in row.items() if name not in ELSEWHERE | set(shown)}
    rest["face"] = row["face_id"]
    return (
        f'<article class="{verdict}" data-reasons="{escape(" ".join(row["reasons"]))}">{_image(thumb)}'
        f'<div class="verdict"><b>{verdict}</b>'
        + (f'<ul class="why">{reasons}</ul>' if reasons else "")
        + f'<div class="from">{escape(row["source"])}{label}</div></div>'
        f'<div class="facts">{_list(facts, failed)}</div>'
        f"<details><summary>other measures</summary>{_list(rest)}</details></article>"
    )


def _image(thumb: bytes | None) -> str:
    if thumb is None:
        return '<div class="blank"></div>'
    return f'<img alt="" loading="lazy" src="data:image/jpeg;base64,{base64.b64encode(thumb).decode()}">'


def _list(facts: dict[str, str], failed: Collection[str] = ()) -> str:
    """Names and values; those of rules that the face failed stand out."""
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
    some = _Thinned(refused, most)
    for pictures in _rows(layout, layout.pictures):
        some.add(pictures.filter(pc.is_valid(pictures["refusal"])).select(["source", "refusal", "message"]))
    cells = ((escape(row["source"]), _words(row["refusal"]), escape(row["message"] or "")) for row in some.chosen)
    rows = "".join(f"<tr><td>{source}</td><td>{code}</td><td>{message}</td></tr>" for source, code, message in cells)
    more = f" ({most:,} of {refused:,})" if refused > most else ""
    return f"<h2>Refused pictures{more}</h2><table><tr><th>source</th><th>code</th><th>why</th></tr>{rows}</table>"

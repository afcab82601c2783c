"""Decisions by hand as a CSV file, for spreadsheets and for other copies of a dataset."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from facesieve.dataset.decision_file import Change
from facesieve.dataset.disk.atomic import wrap_read_errors
from facesieve.dataset.disk.new_file import write_new
from facesieve.dataset.tables.decisions import Decisions, Effect
from facesieve.errors import UsageError

COLUMNS = ("face_id", "verdict", "set_label", "label", "who", "when", "why")
VERDICTS = {"kept": "keep", "rejected": "reject"}  # other words that `verdict` may have
_MAX_BYTES = 2**30


def write_csv(decisions: Decisions, file: Path) -> int:
    """Write the decisions that are not withdrawn, one row for each face. Returns how many.

    Raises DatasetError if the file cannot be written.
    """
    rows = [row for row in decisions.table.to_pylist() if (row["verdict"], row["label"]) != (None, None)]
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(COLUMNS)
    for row in rows:
        label = row["label"]
        set_label = "" if label is None else "yes"
        row |= {"set_label": set_label, "label": label or "", "when": row["when"].isoformat()}
        writer.writerow([row[name] or "" for name in COLUMNS])
    write_new(file, stream.getvalue().encode())
    return len(rows)


def read_csv(file: Path) -> list[Change]:
    """The decisions of a CSV file with at least the columns `face_id` and `verdict` or `label`.

    A verdict is `keep`, `reject`, `kept` or `rejected`; an empty one leaves that of the rules. A label counts if it is
    not empty, or if `set_label` says `yes`.
    Raises UsageError that names the file and the line, and DatasetError if the file cannot be read.
    """
    with wrap_read_errors(file), file.open("rb") as stream:
        data = stream.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise UsageError("bad_decisions", f"{file} is larger than 1 GiB. Split it.")
    try:
        return list(_changes(file, data.decode("utf-8-sig")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError("bad_decisions", f"{file} is not a CSV file in UTF-8: {error}.") from error


def _changes(file: Path, text: str) -> Iterator[Change]:
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    names = list(rows.fieldnames or ())
    twice = sorted({name for name in COLUMNS if names.count(name) > 1})
    if twice:
        raise UsageError("bad_decisions", f"{file} has the column {twice[0]} twice.")
    if "face_id" not in names or not {"verdict", "label"} & {*names}:
        raise UsageError("bad_decisions", f"{file} needs the column face_id, and verdict or label, in its first line.")
    seen = set[str]()
    for row in rows:
        try:
            if None in row or None in row.values():
                raise ValueError(f"The line does not have {len(names)} values. A value with a comma needs quotes.")
            change = _change({name: value.strip() for name, value in row.items() if name in COLUMNS})
        except ValueError as error:
            raise UsageError("bad_decisions", f"{file}, line {rows.line_num}: {error}") from error
        if change.face_id in seen:
            raise UsageError("bad_decisions", f"{file}, line {rows.line_num}: face {change.face_id} is there twice.")
        seen.add(change.face_id)
        yield change


def _change(row: dict[str, str]) -> Change:
    verdict, label, set_label = (row.get(name, "") for name in ("verdict", "label", "set_label"))
    if set_label not in ("", "yes", "no"):
        raise ValueError("set_label has to be yes, no or empty.")
    sets = set_label == "yes" or (set_label == "" and bool(label))
    verdict = verdict.lower()
    effect = Effect(VERDICTS.get(verdict, verdict) or None, label if sets else None)
    return Change(row["face_id"].lower(), effect, row.get("who", ""), row.get("why", ""), when=_when(row.get("when")))


def _when(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        when = datetime.fromisoformat(text)
        return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    except (OverflowError, ValueError) as error:
        raise ValueError(f"{text[:50]!r} is not a time such as 2026-11-27T09:30:00+00:00.") from error

"""Reads and changes `decisions.parquet`. Several processes may change it: each takes a lock for one change.

A change is written to another file, synced and renamed, so what was acknowledged survives a kill and a power cut.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.disk.atomic import remove_path, wrap_write_errors, write_file_durably
from facesieve.dataset.disk.file_lock import acquired_lock
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.names import normalized_text
from facesieve.dataset.disk.parquet import read_table, table_bytes
from facesieve.dataset.tables.decisions import DECISION_SCHEMA, NO_DECISIONS, Decisions, Effect
from facesieve.errors import DatasetError, UsageError

MAX_TEXT = 1000  # characters of a label, a name or a reason
_FACE_ID = re.compile("[0-9a-f]{32}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_PATIENCE = 10.0  # seconds to wait for another process; a change takes some milliseconds


@dataclass(frozen=True, slots=True)
class Change:
    """What a person decides about one face. It replaces an earlier decision about the face.

    effect: without verdict and label, it withdraws the decision. who, why: text, may be "".
    seen: the version of the decision that the person saw, 0 for none; None replaces any.
    when: None is now.
    """

    face_id: str
    effect: Effect
    who: str = ""
    why: str = ""
    seen: int | None = None
    when: datetime | None = None


class DecidedMeanwhileError(DatasetError):
    """Another window or process decided about a face meanwhile. faces: the ids of these faces."""

    def __init__(self, faces: Sequence[str]) -> None:
        super().__init__(
            "decided_meanwhile",
            f"Someone else decided about face {faces[0]} meanwhile"
            + (f" (and about {len(faces) - 1} more)" if len(faces) > 1 else "")
            + ". Nothing was changed. Look at it again, then decide.",
        )
        self.faces = tuple(faces)


def read_decisions(layout: Layout) -> Decisions:
    """The decisions about the faces of a dataset. Raises DatasetError if the file is damaged or unreadable."""
    return _read(layout.decisions)


def read_applied(layout: Layout) -> Decisions | None:
    """The decisions that the manifests were last published with; None if they were published without any.

    Raises DatasetError if the file is damaged or unreadable.
    """
    return _read(layout.applied) if layout.applied.exists() else None


def applied_bytes(decisions: Decisions) -> bytes:
    """The content of the file of applied decisions: verdicts and labels, without names, times and reasons."""
    effects = decisions.effects()
    columns = [
        effects[field.name] if field.name in effects.column_names else pa.nulls(len(effects), field.type)
        for field in DECISION_SCHEMA
    ]
    return table_bytes(pa.table(columns, schema=DECISION_SCHEMA))


def write_decisions(decisions: Decisions, layout: Layout) -> None:
    """Write the decisions of a new dataset, which no other process writes to yet. Writes no file if there are none."""
    if len(decisions):
        write_file_durably(table_bytes(decisions.table), layout.decisions, layout.decision_scratch)
        _remove_scratch(layout)


def change_decisions(layout: Layout, changes: Sequence[Change]) -> Decisions:
    """Make these changes, all or none, and return the decisions as they are then. They are durable.

    Raises UsageError `bad_decision` for values that cannot be stored, and DecidedMeanwhileError if someone decided
    about one of the faces meanwhile. Raises DatasetError if the file is damaged or cannot be written, or if another
    process keeps the lock for too long.
    """
    changes = [_checked(change) for change in changes]
    with _locked(layout):
        held = read_decisions(layout)
        rows = {row["face_id"]: row for row in _rows_of(held, [change.face_id for change in changes])}
        stale = [one.face_id for one in changes if one.seen is not None and one.seen != _version(rows.get(one.face_id))]
        if stale:
            raise DecidedMeanwhileError(stale)
        for change in changes:
            rows[change.face_id] = _row(change, _version(rows.get(change.face_id)) + 1)
        return _replace(layout, held, list(rows), pa.Table.from_pylist(list(rows.values()), DECISION_SCHEMA))


def forget_decisions(layout: Layout, faces: Collection[str]) -> None:
    """Remove all that was decided about these faces. Raises DatasetError if the file cannot be written."""
    if faces and layout.decisions.exists():
        with _locked(layout):
            _replace(layout, read_decisions(layout), list(faces), DECISION_SCHEMA.empty_table())


def joined_decisions(several: Sequence[Decisions]) -> Decisions:
    """The decisions of several datasets; of several about one face, the last one that a person made."""
    rows = pa.concat_tables([NO_DECISIONS.table, *(one.table for one in several)])
    keys = [("face_id", "ascending"), *((name, "descending") for name in ("when", "version", "who", "verdict"))]
    rows = rows.take(pc.sort_indices(rows, [*keys, ("label", "descending"), ("why", "descending")]))
    ids = rows["face_id"].combine_chunks()
    if len(ids) < 2:
        return Decisions(rows)
    first = pa.concat_arrays([pa.array([True]), pc.not_equal(ids[1:], ids[:-1])])
    return Decisions(rows.filter(first))


def _read(path: Path) -> Decisions:
    if not path.exists():
        return NO_DECISIONS
    try:
        rows = read_table(path).cast(DECISION_SCHEMA)
    except (ValueError, DatasetError) as error:
        if isinstance(error, DatasetError) and error.code != "damaged_dataset":
            raise
        raise _damaged(path) from error
    ids, verdicts = rows["face_id"].combine_chunks(), rows["verdict"]
    known = pc.all(pc.or_kleene(pc.is_null(verdicts), pc.is_in(verdicts, pa.array(["keep", "reject"])))).as_py()
    if ids.null_count or known is False or not (len(ids) < 2 or pc.all(pc.less(ids[:-1], ids[1:])).as_py()):
        raise _damaged(path)
    return Decisions(rows)


def _damaged(path: Path) -> DatasetError:
    return DatasetError(
        "damaged_decisions",
        f"{path} is damaged. Restore it from a copy, or delete it; then faces are judged by the rules alone.",
    )


def _rows_of(held: Decisions, faces: Sequence[str]) -> list[dict[str, Any]]:
    rows: pa.Table = held.table.filter(pc.is_in(held.table["face_id"], pa.array(faces, pa.string())))
    return list(rows.to_pylist())


def _version(row: dict[str, Any] | None) -> int:
    return int(row["version"]) if row else 0


def _checked(change: Change) -> Change:
    """The change with its texts in the form that tables store. Raises UsageError if a value cannot be stored."""
    verdict, label = change.effect
    if not _FACE_ID.fullmatch(change.face_id):
        raise UsageError("bad_decision", f"{change.face_id[:50]!r} is not the id of a face: 32 hex digits.")
    if verdict not in (None, "keep", "reject"):
        raise UsageError("bad_decision", f"The verdict {verdict[:50]!r} is neither keep nor reject.")
    who, why, name = (normalized_text(text) for text in (change.who, change.why, label or ""))
    if _CONTROL.search(name) or max(map(len, (who, why, name))) > MAX_TEXT:
        raise UsageError("bad_decision", f"A label has at most {MAX_TEXT} characters, and no control characters.")
    return replace(change, effect=Effect(verdict, None if label is None else name), who=who, why=why)


def _row(change: Change, version: int) -> dict[str, Any]:
    verdict, label = change.effect
    when = change.when or datetime.now(UTC)
    values = (change.face_id, verdict, label, change.who, when, change.why, version)
    return dict(zip(DECISION_SCHEMA.names, values, strict=True))


def _replace(layout: Layout, held: Decisions, faces: Sequence[str], rows: pa.Table) -> Decisions:
    others = held.table.filter(pc.invert(pc.is_in(held.table["face_id"], pa.array(faces, pa.string()))))
    both = pa.concat_tables([others, rows])
    new = Decisions(both.take(pc.sort_indices(both["face_id"].combine_chunks())))
    write_file_durably(table_bytes(new.table), layout.decisions, layout.decision_scratch)
    return new


@contextmanager
def _locked(layout: Layout) -> Iterator[None]:
    """Hold the lock on the decisions, and remove temporary files of killed processes."""
    busy = f"Another process is changing the decisions of {layout.root}. Try again."
    lock = acquired_lock(layout.decision_lock, _PATIENCE, busy, layout.decisions)
    try:
        yield
    finally:
        _remove_scratch(layout)
        lock.release()


def _remove_scratch(layout: Layout) -> None:
    with wrap_write_errors(layout.decision_scratch):
        if layout.decision_scratch.exists():
            remove_path(layout.decision_scratch)

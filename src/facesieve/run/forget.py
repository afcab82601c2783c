"""Rows leave a dataset, with everything that was made from them: a source, a picture, a face, what is gone."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from glob import escape, has_magic
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.about import outputs_of, read_about
from facesieve.dataset.distinct import keys_of
from facesieve.dataset.files import Outputs
from facesieve.dataset.layout import Layout
from facesieve.dataset.merge import merge, named_inputs
from facesieve.dataset.named import files_of_rows, named_files
from facesieve.dataset.names import plain
from facesieve.errors import DatasetError, UsageError
from facesieve.records import displayed
from facesieve.run.claim import hold
from facesieve.run.ledger import Ledger
from facesieve.run.publish import prune, publish_dataset
from facesieve.sources.naming import identity_of

SHORTEST = 8  # hex digits of an id that is forgotten by its beginning

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What left a dataset: rows of pictures and of faces in the ledger, and picture files."""

    pictures: int
    faces: int
    files: int


def forget(root: Path, what: str, sheet_faces: int) -> Forgotten:
    """Remove a source, a picture or a face, and all that was made from it, from a dataset.

    what: a source as the manifests name it, or the id of a picture or a face, or its first digits. A face takes its
    picture with it where marked pictures are written, for they show it.
    Where the command was interrupted, it goes on when it is called again.
    Raises UsageError when nothing fits or more than one does, DatasetError when the dataset has no ledger, is damaged,
    or the disk refuses.
    """
    layout = Layout(root)
    if not layout.made.exists():
        read_about(layout.about)
        raise DatasetError(
            "not_continuable",
            f"{root} has no ledger; forget it in the dataset that it was judged from, and judge again.",
        )
    with hold(layout):
        about = read_about(layout.made)
        outputs, ledger = outputs_of(about), Ledger(layout)
        fitting = _fitting(ledger, what, about["measures"])
        left = _without(fitting, outputs.marked)
        pictures = faces = 0
        for number in ledger.numbers():
            rows = ledger.table(number)
            before = rows.to_pylist()
            after = [row for row in map(left, before) if row is not None]
            if after != before:
                pictures += len(before) - len(after)
                faces += _faces(before) - _faces(after)
                replace_rows(ledger, number, pa.Table.from_pylist(after, schema=rows.schema), outputs)
        files = _publish_again(layout, about, sheet_faces)
    if not fitting[1]:
        raise UsageError(
            "nothing_to_forget",
            f"{root} has no source {what!r}, and no picture or face whose id begins so ({SHORTEST} digits or more).",
        )
    return Forgotten(pictures, faces, len(files))


def replace_rows(ledger: Ledger, number: int, rows: pa.Table, outputs: Outputs) -> None:
    """Keep only these rows of a part, with the small pictures and the sums that belong to them."""
    if not len(rows):
        ledger.remove(number)
        return
    ids = pc.struct_field(rows["faces"].combine_chunks().flatten(), "face_id")
    thumbs = ledger.thumbs(number)
    names, sums = {name for _, name in files_of_rows(rows, outputs)}, ledger.sums(number)
    files = {name: sums[name] for name in names if name in sums}
    ledger.commit(number, rows, thumbs.filter(pc.is_in(thumbs["face_id"], ids)), files)


def gone_sources(parts: Iterable[pa.Table], wanted: Collection[bytes], named: Sequence[str]) -> dict[bytes, str]:
    """Inputs in parts of the ledger that lie under the named places and are not wanted any more: names by key.

    wanted: keys of sources. An input lies where its identity says; only rows of version 0.1.0, which have none, are
    compared by name.
    """
    if not named:
        return {}
    by_name = [plain(str(Path(argument))) for argument in named]
    by_place = [_absolute(argument) for argument in named]
    gone: dict[bytes, str] = {}
    for rows in parts:
        for key, name in zip(keys_of(rows).to_pylist(), rows["source"].to_pylist(), strict=True):
            where = os.fsdecode(key)
            places = by_place if Path(where).is_absolute() else by_name
            if key not in wanted and any(_under(where, place) for place in places):
                gone[key] = name
    return gone


def drop_sources(ledger: Ledger, keys: Collection[bytes], outputs: Outputs) -> None:
    """Remove all rows of these inputs from the ledger. Their files go when the dataset is published."""
    for number in ledger.numbers():
        rows = ledger.table(number)
        gone = pc.is_in(keys_of(rows), pa.array(sorted(keys), pa.binary()))
        if pc.any(gone).as_py():
            replace_rows(ledger, number, rows.filter(pc.invert(gone)), outputs)


def _absolute(argument: str) -> str:
    """A named place as an absolute path. The working folder is no pattern, whatever its name is."""
    if Path(argument).is_absolute():  # the working folder may have been deleted
        return os.fsdecode(identity_of(argument))
    here = escape(str(Path.cwd())) if has_magic(argument) else str(Path.cwd())
    return os.fsdecode(identity_of(Path(here) / argument))


def _under(name: str, place: str) -> bool:
    if place == ".":
        return not name.startswith(("/", "../"))
    if name == place or name.startswith((place.rstrip("/") + "/", place + "!")):
        return True
    return fnmatchcase(name, place.replace("**/", "")) and not os.path.lexists(name)


def _fitting(ledger: Ledger, what: str, measures: Sequence[str]) -> tuple[str, set[Any]]:
    """Which column names it, and the values that fit: `identity`, `picture_id` or `face_id`."""
    tables = ledger.tables()
    named = named_inputs(tables, measures)
    for spelled in (what, displayed(what), plain(what)):
        if spelled in named:
            return "identity", {named[spelled]}
    prefix = what.lower()
    ids = {"picture_id": set[str](), "face_id": set[str]()}
    for table in tables:
        ids["picture_id"] |= set(table["picture_id"].drop_null().to_pylist())
        ids["face_id"] |= set(pc.struct_field(table["faces"].combine_chunks().flatten(), "face_id").to_pylist())
    for name, values in ids.items():
        found = {value for value in values if len(prefix) >= SHORTEST and value.startswith(prefix)}
        if len(found) > 1:
            raise UsageError("ambiguous_id", f"{len(found)} ids begin with {what!r}; write more of it.")
        if found:
            return name, found
    return "identity", set()


def _without(fitting: tuple[str, set[Any]], marked: bool) -> Callable[[Row], Row | None]:
    """A function that returns what stays of a row: all, the row with fewer faces, or nothing."""
    column, values = fitting

    def left(row: Row) -> Row | None:
        if column == "identity":
            return None if _key(row) in values else row
        if column == "picture_id":
            return None if row["picture_id"] in values else row
        faces = [face for face in row["faces"] if face["face_id"] not in values]
        if len(faces) == len(row["faces"]):
            return row
        return None if marked else {**row, "faces": faces}

    return left


def _key(row: Row) -> bytes:
    """As `keys_of`, of one row."""
    identity: bytes | None = row.get("identity")
    return row["source"].encode() if identity is None else identity


def _faces(rows: Iterable[Row]) -> int:
    return sum(len(row["faces"]) for row in rows)


def _publish_again(layout: Layout, about: dict[str, Any], sheet_faces: int) -> list[str]:
    faces, pictures = merge(Ledger(layout).tables(), about["measures"])
    publish_dataset(faces, pictures, layout, about, sheet_faces)
    return prune(layout, named_files(faces, pictures, outputs_of(about)))

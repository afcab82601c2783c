"""Rows leave a dataset, with everything that was made from them: a source, a picture, a face, what is gone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.about import outputs_of, read_about
from facesieve.dataset.files import Outputs
from facesieve.dataset.layout import Layout
from facesieve.dataset.merge import merge
from facesieve.dataset.named import files_of_rows, named_files
from facesieve.dataset.names import plain
from facesieve.errors import DatasetError, UsageError
from facesieve.run.claim import hold
from facesieve.run.ledger import Ledger
from facesieve.run.publish import prune, publish_dataset

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
        fitting = _fitting(ledger, what)
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


def gone_sources(parts: Iterable[pa.Table], wanted: Collection[str], named: Sequence[str]) -> set[str]:
    """Sources in parts of the ledger that lie under the named places and are not wanted any more."""
    if not named:
        return set()
    known = {name for rows in parts for name in rows["source"].to_pylist()}
    places = [plain(str(Path(argument))) for argument in named]
    return {name for name in known - set(wanted) if any(_under(name, place) for place in places)}


def drop_sources(ledger: Ledger, names: Collection[str], outputs: Outputs) -> None:
    """Remove all rows of these sources from the ledger. Their files go when the dataset is published."""
    for number in ledger.numbers():
        rows = ledger.table(number)
        gone = pc.is_in(rows["source"], pa.array(sorted(names), pa.string()))
        if pc.any(gone).as_py():
            replace_rows(ledger, number, rows.filter(pc.invert(gone)), outputs)


def _under(name: str, place: str) -> bool:
    if place == ".":
        return not name.startswith(("/", "../"))
    if name == place or name.startswith((place.rstrip("/") + "/", place + "!")):
        return True
    return fnmatch(name, place.replace("**/", "")) and not Path(name).exists()


def _fitting(ledger: Ledger, what: str) -> tuple[str, set[str]]:
    """Which column names it, and the values that fit: `source`, `picture_id` or `face_id`."""
    columns: dict[str, set[str]] = {"source": set(), "picture_id": set(), "face_id": set()}
    for table in ledger.tables():
        for name in ("source", "picture_id"):
            columns[name] |= set(table[name].drop_null().to_pylist())
        columns["face_id"] |= set(pc.struct_field(table["faces"].combine_chunks().flatten(), "face_id").to_pylist())
    if plain(what) in columns["source"]:
        return "source", {plain(what)}
    prefix = what.lower()
    for name in ("picture_id", "face_id"):
        found = {value for value in columns[name] if len(prefix) >= SHORTEST and value.startswith(prefix)}
        if len(found) > 1:
            raise UsageError("ambiguous_id", f"{len(found)} ids begin with {what!r}; write more of it.")
        if found:
            return name, found
    return "source", set()


def _without(fitting: tuple[str, set[str]], marked: bool) -> Callable[[Row], Row | None]:
    """A function that returns what stays of a row: all, the row with fewer faces, or nothing."""
    column, values = fitting

    def left(row: Row) -> Row | None:
        if column != "face_id":
            return None if row[column] in values else row
        faces = [face for face in row["faces"] if face["face_id"] not in values]
        if len(faces) == len(row["faces"]):
            return row
        return None if marked else {**row, "faces": faces}

    return left


def _faces(rows: Iterable[Row]) -> int:
    return sum(len(row["faces"]) for row in rows)


def _publish_again(layout: Layout, about: dict[str, Any], sheet_faces: int) -> list[str]:
    faces, pictures = merge(Ledger(layout).tables(), about["measures"])
    publish_dataset(faces, pictures, layout, about, sheet_faces)
    return prune(layout, named_files(faces, pictures, outputs_of(about)))

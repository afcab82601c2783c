"""Removing sources, pictures, faces or people from a dataset, with everything that was made from them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.about import read_about, read_made
from facesieve.dataset.decision_file import forget_decisions
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.names import normalized_text
from facesieve.dataset.tables.resolve import resolve
from facesieve.errors import DatasetError, UsageError
from facesieve.run.claim import lock_dataset
from facesieve.run.keep_rows import keep_rows
from facesieve.run.ledger import Ledger
from facesieve.run.lists import hash_of, remove_pictures
from facesieve.run.lost import LostPicture, read_lost, remove_lost
from facesieve.run.named_inputs import absolute_path
from facesieve.run.output import PathText, opened_output
from facesieve.run.publish import publish_ledger
from facesieve.run.selection import (
    SHORTEST,
    Row,
    Selection,
    ids_with_prefix,
    inputs_in,
    inputs_named,
    key_of,
    select,
)
from facesieve.settings import Settings


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How much was removed: rows of pictures and of faces in the ledger, and picture files.

    whole: how many of the pictures were removed only because their marked copy showed a face that was forgotten.
    """

    pictures: int
    faces: int
    files: int
    whole: int = 0


def forget(root: Path, names: Sequence[str], settings: Settings, labels: Sequence[str] = ()) -> Forgotten:
    """Remove sources, pictures, faces or people from a dataset, and everything that was made from them.

    names: each is the name of a source in the manifests; the id of a picture or a face, or its first digits; or a file,
    folder, archive, list or glob, as a path or as it is named in the manifests. labels: all their pictures are removed.
    If the dataset has marked pictures, removing a face removes its whole picture, because the marked copy shows it.
    After an interruption, call it again to finish.
    Raises UsageError when several ids begin with a name, and when nothing fits one of the names or labels; in the
    second case, what fits the others is removed first. Raises DatasetError if the dataset is damaged, has no
    ledger, or cannot be written.
    """
    layout = Layout(root)
    if not layout.made.exists():
        read_about(layout)
        raise DatasetError(
            "not_continuable",
            f"{root} has no ledger. Forget it in the dataset that this one was judged from, and judge that one again.",
        )
    with lock_dataset(layout):
        origin = read_made(layout)
        outputs, ledger = origin.options.outputs, Ledger(layout)
        selection = select(ledger, names, labels)
        pictures = faces = whole = 0
        gone, face_ids = set[bytes](), set[str]()
        for number in ledger.numbers():
            rows = ledger.table(number)
            before = rows.to_pylist()
            kept = [row for row in before if not selection.has(row)]
            after = [row for row in (_without(row, selection.faces, outputs.marked) for row in kept) if row is not None]
            if after != before:
                pictures += len(before) - len(after)
                whole += len(kept) - len(after)
                faces += _faces(before) - _faces(after)
                gone |= {hash_of(key_of(row)) for row in before} - {hash_of(key_of(row)) for row in after}
                face_ids |= _ids(before) - _ids(after)
                keep_rows(ledger, number, pa.Table.from_pylist(after, schema=rows.schema), outputs)
        forget_decisions(layout, face_ids - _ids_in(ledger, face_ids))
        with resolve(ledger.tables, layout.scratch) as found:
            files = publish_ledger(ledger, found, origin, settings).removed
        remove_pictures(layout, gone)
        _remove_lost(layout, names, labels, selection)
    if selection.unknown:
        raise UsageError("nothing_to_forget", _nothing(root, selection, names, labels))
    return Forgotten(pictures, faces, len(files), whole)


def forget_in(
    dataset: PathText,
    names: Sequence[str],
    settings: Settings,
    labels: Sequence[str] = (),
    work_folder: PathText | None = None,
    announce: Callable[[str], object] = lambda line: None,
) -> Forgotten:
    """Like `forget`, for a dataset in a folder or in a bucket. work_folder, announce: as in `build`."""
    with opened_output(dataset, work_folder, settings, announce) as output:
        try:
            forgotten = forget(output.root, names, settings, labels)
        except UsageError:  # what some of the names select was forgotten
            output.publish()
            raise
        output.publish()
    return forgotten


def _nothing(root: Path, selection: Selection, names: Sequence[str], labels: Sequence[str]) -> str:
    unknown_labels = ", ".join(repr(what) for what in selection.unknown if what in labels)
    others = ", ".join(repr(what) for what in selection.unknown if what not in labels)
    lacking = [f"label {unknown_labels}"] if unknown_labels else []
    if others:
        ids = f"no picture or face whose id begins with it ({SHORTEST} digits or more)"
        lacking.append(f"source or folder {others}, and {ids}; for a label use --label")
    rest = "; what the other names select was forgotten" if len(selection.unknown) < len([*names, *labels]) else ""
    return f"{root} has no {', no '.join(lacking)}{rest}."


def _remove_lost(layout: Layout, names: Sequence[str], labels: Sequence[str], selection: Selection) -> None:
    """Also forget pictures whose rows were in a damaged part; their names are kept until a build does them again."""
    lost = read_lost(layout).pictures
    paths = {one.source: os.fsencode(absolute_path(one.source)) for one in lost}
    gone: set[LostPicture] = {one for one in lost if one.label in map(normalized_text, labels)}
    found = {label for label in labels if normalized_text(label) in {one.label for one in gone}}
    for what in names:
        keys = inputs_named(what, paths) | inputs_in(what, paths)
        ids = ids_with_prefix(what, {one.picture_id for one in lost if one.picture_id})
        fits = {one for one in lost if paths[one.source] in keys or one.picture_id in ids}
        gone |= fits
        found |= {what} if fits else set()
    remove_lost(layout, gone.__contains__)
    selection.unknown[:] = [what for what in selection.unknown if what not in found]


def _without(row: Row, faces: set[str], marked: bool) -> Row | None:
    """A row without some faces; None if the whole row must go, because its marked copy shows one of them."""
    left = [face for face in row["faces"] if face["face_id"] not in faces]
    if len(left) == len(row["faces"]):
        return row
    return None if marked else {**row, "faces": left}


def _ids(rows: Iterable[Row]) -> set[str]:
    return {face["face_id"] for row in rows for face in row["faces"]}


def _ids_in(ledger: Ledger, faces: set[str]) -> set[str]:
    """Those of these faces that other rows of the ledger have, because the same picture lies at several paths."""
    wanted = pa.array(faces, pa.string())
    columns = [f"faces.list.{item}.face_id" for item in ("element", "item")]
    held = (rows["faces"].combine_chunks().flatten().field("face_id") for rows in ledger.tables(columns))
    return {face for ids in held for face in ids.filter(pc.is_in(ids, wanted)).to_pylist()} if faces else set()


def _faces(rows: Iterable[Row]) -> int:
    return sum(len(row["faces"]) for row in rows)

"""Removing sources, pictures, faces or people from a dataset, with everything that was made from them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.about import read_about, read_made
from facesieve.dataset.decision_file import forget_decisions
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.names import normalized_text
from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.origin import Origin
from facesieve.errors import DatasetError, UsageError
from facesieve.run.claim import lock_dataset
from facesieve.run.drop_forgotten import resolved_without_forgotten
from facesieve.run.forgotten import Entry, ForgottenHashes, Kind, file_entries, label_bytes, place_bytes
from facesieve.run.keep_rows import keep_rows, without_faces
from facesieve.run.ledger import Ledger
from facesieve.run.lists import hash_of, remove_pictures
from facesieve.run.lost import LostPicture, read_lost, remove_lost
from facesieve.run.named_inputs import absolute_path
from facesieve.run.output import PathText, opened_output
from facesieve.run.publish import publish_ledger
from facesieve.run.receipts import Holding, Receipt, exports_holding, holdings, strike_faces
from facesieve.run.selection import (
    SEARCHED,
    SHORTEST,
    Named,
    Selection,
    ids_with_prefix,
    inputs_in,
    inputs_named,
    key_of,
    select,
)
from facesieve.settings import Settings

# The words of the message for each field of `Named` except `names`.
_KINDS = (("label", "labels"), ("face whose id begins with", "faces"), ("picture with the bytes of", "pictures"))


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How much was removed: rows of pictures and of faces in the ledger, and picture files.

    whole: how many of the pictures were removed only because their marked copy showed a face that was forgotten.
    exports: the exports of the dataset that have faces that were forgotten, now or earlier.
    """

    pictures: int
    faces: int
    files: int
    whole: int = 0
    exports: tuple[Holding, ...] = ()


def forget(
    root: Path, names: Sequence[str], settings: Settings, labels: Sequence[str] = (), **others: Any
) -> Forgotten:
    """Like `forget_named`; names, labels and others are those of `Named`."""
    return forget_named(root, Named(names, labels, **others), settings)


def forget_named(root: Path, named: Named, settings: Settings, dry_run: bool = False) -> Forgotten:
    """Remove sources, pictures, faces or people from a dataset, and everything that was made from them.

    If the dataset has marked pictures, removing a face removes its whole picture, because the marked copy shows it.
    Salted hashes stay, so that no build adds it again. dry_run: only count, and change nothing.
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
        origin, ledger = read_made(layout), Ledger(layout)
        outputs, selection = origin.options.outputs, select(ledger, named)
        gone = _find(ledger, selection, outputs)
        holding = exports_holding(layout, gone.faces)
        files = [] if dry_run else _remove(ledger, gone, selection, origin, settings, holding)
        _settle_lost(layout, named, selection, dry_run)
    if selection.unknown:
        raise UsageError("nothing_to_forget", _nothing(root, selection, named, dry_run))
    return Forgotten(gone.pictures, gone.face_rows, len(files), gone.whole, holdings(holding))


@dataclass(slots=True)
class _Gone:
    """What leaves the ledger.

    parts: the numbers of the parts that change. keys: of the inputs. entries: what is remembered as hashes. faces: ids.
    pictures, face_rows, whole: counts, as in `Forgotten`.
    """

    parts: list[int] = field(default_factory=list)
    keys: set[bytes] = field(default_factory=set)
    entries: set[Entry] = field(default_factory=set)
    faces: set[str] = field(default_factory=set)
    pictures: int = 0
    face_rows: int = 0
    whole: int = 0


def _find(ledger: Ledger, selection: Selection, outputs: Outputs) -> _Gone:
    """Read all parts, and find what is to be removed."""
    gone, left = _Gone(), set[str]()
    removed = set[str]()  # ids of pictures
    for number in ledger.numbers():
        changes = False
        for row in ledger.table(number, [*SEARCHED, "fingerprint"]).to_pylist():
            whole = selection.has(row)
            kept = None if whole else without_faces(row, selection.faces, outputs)
            if kept is not None and row["picture_id"]:
                left.add(row["picture_id"])
            if kept is row:
                continue
            changes = True
            ids = {face["face_id"] for face in row["faces"]}
            lost = ids if kept is None else ids & selection.faces
            gone.faces |= lost
            gone.face_rows += len(lost)
            if kept is None:
                gone.pictures += 1
                gone.whole += not whole
                gone.keys.add(key_of(row))
                removed |= {row["picture_id"]} - {None}
                gone.entries.add((Kind.PLACE, place_bytes(key_of(row), row["picture_id"])))
                gone.entries.update(file_entries(key_of(row), row["fingerprint"]))
        gone.parts += [number] if changes else []
    gone.entries.update((Kind.PICTURE, one.encode()) for one in removed - left)
    gone.entries.update((Kind.LABEL, label_bytes(label)) for label in selection.labels)
    gone.entries.update((Kind.FACE, face.encode()) for face in selection.faces)
    return gone


def _remove(
    ledger: Ledger,
    gone: _Gone,
    selection: Selection,
    origin: Origin,
    settings: Settings,
    holding: Sequence[tuple[Receipt, int]],
) -> list[str]:
    """Remember the hashes, then remove the ids from receipts and the rows from the ledger, and publish.

    Returns the names of the picture files that were removed.
    """
    layout, outputs = ledger.layout, origin.options.outputs
    if gone.entries:
        ForgottenHashes(layout).add(gone.entries)
    strike_faces(holding, gone.faces, layout)
    for number in gone.parts:
        rows = ledger.table(number)
        kept = (row for row in rows.to_pylist() if not selection.has(row))
        after = [row for one in kept if (row := without_faces(one, selection.faces, outputs)) is not None]
        keep_rows(ledger, number, pa.Table.from_pylist(after, schema=rows.schema), outputs)
    forget_decisions(layout, gone.faces - _ids_in(ledger, gone.faces))
    with resolved_without_forgotten(ledger, outputs) as found:
        files = publish_ledger(ledger, found, origin, settings).removed
    remove_pictures(layout, {hash_of(key) for key in gone.keys})
    return files


def _ids_in(ledger: Ledger, faces: set[str]) -> set[str]:
    """Those of these faces that other rows of the ledger have, because the same picture lies at several paths."""
    wanted = pa.array(faces, pa.string())
    columns = [f"faces.list.{item}.face_id" for item in ("element", "item")]
    held = (rows["faces"].combine_chunks().flatten().field("face_id") for rows in ledger.tables(columns))
    return {face for ids in held for face in ids.filter(pc.is_in(ids, wanted)).to_pylist()} if faces else set()


def forget_in(
    dataset: PathText,
    named: Named,
    settings: Settings,
    work_folder: PathText | None = None,
    announce: Callable[[str], object] = lambda line: None,
    dry_run: bool = False,
) -> Forgotten:
    """Like `forget_named`, for a dataset in a folder or in a bucket. work_folder, announce: as in `build`."""
    with opened_output(dataset, work_folder, settings, announce) as output:
        try:
            forgotten = forget_named(output.root, named, settings, dry_run)
        except UsageError:  # what some of the names select was forgotten
            output.publish()
            raise
        output.publish()
    return forgotten


def _nothing(root: Path, selection: Selection, named: Named, dry_run: bool) -> str:
    def unknown(some: Sequence[str]) -> str:
        return ", ".join(repr(what) for what in selection.unknown if what in some)

    lacking = [f"{word} {names}" for word, some in _KINDS if (names := unknown(getattr(named, some)))]
    if others := unknown(named.names):
        ids = f"no picture or face whose id begins with it ({SHORTEST} digits or more)"
        lacking.append(f"source or folder {others}, and {ids}; for a label use --label")
    went = "would be forgotten" if dry_run else "was forgotten"
    rest = f"; what the other names select {went}" if len(selection.unknown) < len(named.all) else ""
    return f"{root} has no {', no '.join(lacking)}{rest}."


def _settle_lost(layout: Layout, named: Named, selection: Selection, dry_run: bool) -> None:
    """Also forget pictures whose rows were in a damaged part; their names are kept until a build does them again."""
    lost = read_lost(layout).pictures
    paths = {one.source: os.fsencode(absolute_path(one.source)) for one in lost}
    gone: set[LostPicture] = {one for one in lost if one.label in map(normalized_text, named.labels)}
    found = {label for label in named.labels if normalized_text(label) in {one.label for one in gone}}
    for what in named.names:
        keys = inputs_named(what, paths) | inputs_in(what, paths)
        ids = ids_with_prefix(what, {one.picture_id for one in lost if one.picture_id})
        fits = {one for one in lost if paths[one.source] in keys or one.picture_id in ids}
        gone |= fits
        found |= {what} if fits else set()
    if gone and not dry_run:
        entries = [(Kind.LABEL, label_bytes(label)) for label in found.intersection(named.labels)]
        ForgottenHashes(layout).add([*entries, *(_entry(one, paths[one.source]) for one in gone)])
        remove_lost(layout, gone.__contains__)
    selection.unknown[:] = [what for what in selection.unknown if what not in found]


def _entry(lost: LostPicture, key: bytes) -> Entry:
    return Kind.PLACE, place_bytes(key, lost.picture_id)

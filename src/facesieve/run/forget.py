"""Rows leave a dataset, with everything that was made from them: sources, pictures, faces, people."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from glob import has_magic
from itertools import tee
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.about import read_about, read_made
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.names import normalized_text
from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.tables.inputs import input_keys
from facesieve.dataset.tables.named_files import files_of_rows
from facesieve.dataset.tables.resolve import Resolution, resolve
from facesieve.errors import DatasetError, UsageError
from facesieve.records import displayed
from facesieve.run.claim import hold
from facesieve.run.ledger import Ledger
from facesieve.run.lost import LostPicture, read_lost, strike
from facesieve.run.places import below, by_path, by_words, matches, where
from facesieve.run.publish import publish_ledger
from facesieve.settings import Settings

SHORTEST = 8  # hex digits of an id that is forgotten by its beginning

# Columns of the ledger that tell what fits; the `item` is how older versions of Parquet call it.
_TELLING = (
    *("source", "identity", "picture_id", "label"),
    *(f"faces.list.{item}.face_id" for item in ("element", "item")),
)

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What left a dataset: rows of pictures and of faces in the ledger, and picture files.

    whole: of the pictures, those that went with a face of theirs, because their marked copy shows it.
    """

    pictures: int
    faces: int
    files: int
    whole: int = 0


@dataclass(frozen=True, slots=True)
class _Fitting:
    """What is to be forgotten: keys of inputs, ids, labels; and the names that fit nothing."""

    inputs: set[bytes] = field(default_factory=set)
    pictures: set[str] = field(default_factory=set)
    faces: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)
    nothing: list[str] = field(default_factory=list)

    def takes(self, row: Row) -> bool:
        """Whether the whole row goes."""
        return _key(row) in self.inputs or row["picture_id"] in self.pictures or row["label"] in self.labels


def forget(root: Path, names: Sequence[str], settings: Settings, labels: Sequence[str] = ()) -> Forgotten:
    """Remove sources, pictures, faces or people, and all that was made from them, from a dataset.

    names: each a source as the manifests name it; or the id of a picture or a face, or its first digits; or a file,
    folder, archive, list or glob, as a path or as the manifests name it. labels: all pictures under these go. A face
    takes its picture with it where marked pictures are written, for they show it.
    Where the command was interrupted, it goes on when it is called again.
    Raises UsageError when nothing fits one of the names or labels, after what fits the others was removed, and when
    more than one id begins so; DatasetError when the dataset has no ledger, is damaged, or the disk refuses.
    """
    layout = Layout(root)
    if not layout.made.exists():
        read_about(layout)
        raise DatasetError(
            "not_continuable",
            f"{root} has no ledger; forget it in the dataset that it was judged from, and judge again.",
        )
    with hold(layout):
        origin = read_made(layout)
        outputs, ledger = origin.options.outputs, Ledger(layout)
        fitting = _fitting(ledger, names, labels)
        pictures = faces = whole = 0
        for number in ledger.numbers():
            rows = ledger.table(number)
            before = rows.to_pylist()
            kept = [row for row in before if not fitting.takes(row)]
            after = [row for row in (_without(row, fitting.faces, outputs.marked) for row in kept) if row is not None]
            if after != before:
                pictures += len(before) - len(after)
                whole += len(kept) - len(after)
                faces += _faces(before) - _faces(after)
                replace_rows(ledger, number, pa.Table.from_pylist(after, schema=rows.schema), outputs)
        with resolve(ledger.tables, layout.scratch) as found:
            _, files = publish_ledger(ledger, found, origin, settings)
        _strike_lost(layout, names, labels, fitting)
    if fitting.nothing:
        raise UsageError("nothing_to_forget", _nothing(root, fitting, [*names, *labels]))
    return Forgotten(pictures, faces, len(files), whole)


def _nothing(root: Path, fitting: _Fitting, named: Sequence[str]) -> str:
    some = ", ".join(map(repr, fitting.nothing))
    rest = "; what the others name was forgotten" if len(fitting.nothing) < len(named) else ""
    return (
        f"{root} has no source, folder or label {some}, and no picture or face whose id begins so"
        f" ({SHORTEST} digits or more){rest}."
    )


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


def _fitting(ledger: Ledger, names: Sequence[str], labels: Sequence[str]) -> _Fitting:
    """Look through the ledger part by part, so that only what fits is held."""
    fitting, rest = _Fitting(), list[str]()
    with resolve(ledger.tables, ledger.layout.scratch) as found:
        known = _looked_up(ledger, found, names, labels)
        for what in names:
            if inputs := _source(what, known.sources):
                fitting.inputs.update(inputs)
            elif ids := _ids(what, known.pictures):
                fitting.pictures.update(ids)
            elif ids := _ids(what, known.faces):
                fitting.faces.update(ids)
            else:
                rest.append(what)
        placed = _placed(ledger, found, rest) if rest else {}
        fitting.inputs.update(*(placed[what] for what in rest))
    fitting.labels.update({normalized_text(label) for label in labels} & known.labels)
    fitting.nothing.extend(what for what in rest if not placed[what])
    fitting.nothing.extend(label for label in labels if normalized_text(label) not in known.labels)
    return fitting


@dataclass(frozen=True, slots=True)
class _Known:
    """What is in the ledger of what was asked for: keys of inputs by name, ids that begin so, labels."""

    sources: dict[str, bytes] = field(default_factory=dict)
    pictures: set[str] = field(default_factory=set)
    faces: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)


def _looked_up(ledger: Ledger, found: Resolution, names: Sequence[str], labels: Sequence[str]) -> _Known:
    known = _Known()
    spelled = pa.array([name for what in names for name in _spellings(what) if _is_text(name)], pa.string())
    wanted = pa.array(map(normalized_text, labels), pa.string())
    begins = [what.lower() for what in names if len(what) >= SHORTEST and what.isascii()]
    for rows, named, keys in _parts(ledger, found):
        fit = pc.is_in(named, spelled)
        known.sources.update(zip(named.filter(fit).to_pylist(), keys.filter(fit).to_pylist(), strict=True))
        known.labels.update(pc.unique(rows["label"].filter(pc.is_in(rows["label"], wanted))).to_pylist())
        face_ids = pc.struct_field(rows["faces"].combine_chunks().flatten(), "face_id")
        for ids, values in ((known.pictures, rows["picture_id"]), (known.faces, face_ids)):
            for begin in begins:
                ids.update(values.filter(pc.starts_with(values, begin)).drop_null().to_pylist())
    return known


def _placed(ledger: Ledger, found: Resolution, names: Sequence[str]) -> dict[str, set[bytes]]:
    """Keys of the inputs that lie in each of these places."""
    placed: dict[str, set[bytes]] = {what: set() for what in names}
    for _, named, keys in _parts(ledger, found):
        inputs = dict(zip(named.to_pylist(), keys.to_pylist(), strict=True))
        for what in names:
            placed[what] |= _place(what, inputs)
    return placed


def _parts(ledger: Ledger, found: Resolution) -> Iterator[tuple[pa.Table, pa.ChunkedArray, pa.ChunkedArray]]:
    """The rows of each part; of those that count, what the manifests call the input, and its key."""
    raw, again = tee(ledger.tables(_TELLING))
    for rows, part in zip(raw, found.resolved(again), strict=True):
        yield rows, part.counted_rows["source"], input_keys(rows).filter(pa.array(part.counts))


def _strike_lost(layout: Layout, names: Sequence[str], labels: Sequence[str], fitting: _Fitting) -> None:
    """Forget pictures whose rows went with a damaged part too: their names are remembered until a build does them."""
    lost = read_lost(layout).pictures
    places = {one.source: os.fsencode(by_path(one.source)) for one in lost}
    gone: set[LostPicture] = {one for one in lost if one.label in map(normalized_text, labels)}
    found = {label for label in labels if normalized_text(label) in {one.label for one in gone}}
    for what in names:
        keys = _source(what, places) | _place(what, places)
        ids = _ids(what, {one.picture_id for one in lost if one.picture_id})
        fits = {one for one in lost if places[one.source] in keys or one.picture_id in ids}
        gone |= fits
        found |= {what} if fits else set()
    strike(layout, gone.__contains__)
    fitting.nothing[:] = [what for what in fitting.nothing if what not in found]


def _spellings(what: str) -> tuple[str, ...]:
    """A name as it was typed, and as the manifests may have it."""
    return what, displayed(what), normalized_text(what)


def _is_text(name: str) -> bool:
    """Whether a name has no bytes that are no UTF-8; no manifest has such a name."""
    return name.isascii() or not any("\ud800" <= char <= "\udfff" for char in name)


def _source(what: str, named: Mapping[str, bytes]) -> set[bytes]:
    return next(({named[name]} for name in _spellings(what) if name in named), set())


def _ids(what: str, known: set[str]) -> set[str]:
    """The id that begins so. Raises UsageError when there are several."""
    found = {one for one in known if one.startswith(what.lower())} if len(what) >= SHORTEST else set[str]()
    if len(found) > 1:
        raise UsageError("ambiguous_id", f"{len(found)} ids begin with {what!r}; write more of it.")
    return found


def _place(what: str, named: Mapping[str, bytes]) -> set[bytes]:
    """Inputs in a file, folder, archive, list or glob: by where they are, or by what the manifests call them."""
    if not what.strip():
        return set()
    path, words = by_path(what), by_words(what)
    within = matches if has_magic(what) else below
    here = words in (".", "..")  # of the working folder, which is another one for names of another build
    return {key for name, key in named.items() if within(where(key), path) or (not here and within(name, words))}


def _without(row: Row, faces: set[str], marked: bool) -> Row | None:
    """What stays of a row without some faces: all of it, fewer faces, or nothing where its marked copy shows them."""
    left = [face for face in row["faces"] if face["face_id"] not in faces]
    if len(left) == len(row["faces"]):
        return row
    return None if marked else {**row, "faces": left}


def _key(row: Row) -> bytes:
    """As `input_keys`, of one row."""
    identity: bytes | None = row.get("identity")
    return row["source"].encode() if identity is None else identity


def _faces(rows: Iterable[Row]) -> int:
    return sum(len(row["faces"]) for row in rows)

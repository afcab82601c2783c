"""Finds the inputs, pictures, faces and labels of a ledger that the user named."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from glob import has_magic
from itertools import tee
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.decision_file import read_decisions
from facesieve.dataset.disk.atomic import wrap_read_errors
from facesieve.dataset.disk.names import normalized_text
from facesieve.dataset.tables.inputs import input_keys
from facesieve.dataset.tables.resolve import Resolution, resolve
from facesieve.errors import UsageError
from facesieve.records import displayed
from facesieve.run.absent import source_exists
from facesieve.run.ledger import Ledger
from facesieve.run.named_inputs import absolute_path, is_below, manifest_name, matches_glob, path_of
from facesieve.sources.remote.url import is_url

SHORTEST = 8  # hex digits: with fewer, the beginning of an id selects nothing

# The columns to search. Older versions of Parquet call the items of a list `item`.
SEARCHED = (
    *("source", "identity", "picture_id", "label"),
    *(f"faces.list.{item}.face_id" for item in ("element", "item")),
)

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Named:
    """What the user names.

    names: each is the name of a source in the manifests; the id of a picture or a face, or its first digits; or a file,
    folder, archive, list or glob, as a path or as it is named in the manifests. labels: all their pictures, and the
    faces that got such a label by hand. faces: ids of faces, or their first digits. pictures: files; every input with
    the same bytes is meant. missing: all inputs whose files no longer exist.
    """

    names: Sequence[str] = ()
    labels: Sequence[str] = ()
    faces: Sequence[str] = ()
    pictures: Sequence[str] = ()
    missing: bool = False

    @property
    def all(self) -> list[str]:
        """Everything that is named by a text."""
        return [*self.names, *self.labels, *self.faces, *self.pictures]


@dataclass(frozen=True, slots=True)
class Selection:
    """What is selected: keys of inputs, ids of pictures and faces, labels. unknown: names that selected nothing."""

    inputs: set[bytes] = field(default_factory=set)
    pictures: set[str] = field(default_factory=set)
    faces: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)
    unknown: list[str] = field(default_factory=list)

    def has(self, row: Row) -> bool:
        """Whether a whole row of the ledger is selected."""
        return key_of(row) in self.inputs or row["picture_id"] in self.pictures or row["label"] in self.labels


def select(ledger: Ledger, named: Named) -> Selection:
    """Search the ledger for what the user named, part by part, so that memory holds only what is selected.

    Raises UsageError when several ids begin with one of the names, and `all_missing` if no input exists any more;
    DatasetError if a named picture cannot be read.
    """
    selection, rest = Selection(), list[str]()
    ids = {path: _picture_id(Path(path)) for path in named.pictures}
    with resolve(ledger.tables, ledger.layout.scratch) as found:
        by_hand = _faces_labelled_by_hand(ledger, named.labels)
        known = _search(ledger, found, [*named.names, *named.faces, *ids.values()], named.labels, by_hand)
        for what in named.names:
            if inputs := inputs_named(what, known.sources):
                selection.inputs.update(inputs)
            elif one := ids_with_prefix(what, known.pictures):
                selection.pictures.update(one)
            elif one := ids_with_prefix(what, known.faces):
                selection.faces.update(one)
            else:
                rest.append(what)
        within = _inputs_in_each(ledger, found, rest) if rest else {}
        selection.inputs.update(*(within[what] for what in rest))
    for what in named.faces:
        one = ids_with_prefix(what, known.faces)
        selection.faces.update(one)
        selection.unknown.extend([] if one else [what])
    if named.missing:
        selection.inputs.update(_missing(ledger))
    selection.faces.update(known.by_hand)
    selection.pictures.update(known.pictures & {*ids.values()})
    selection.labels.update({normalized_text(label) for label in named.labels} & known.labels)
    selection.unknown.extend(what for what in rest if not within[what])
    selection.unknown.extend(label for label in named.labels if normalized_text(label) not in known.labels)
    selection.unknown.extend(path for path, one in ids.items() if one not in known.pictures)
    return selection


def _picture_id(path: Path) -> str:
    """The id that a picture file has in every dataset: the sha256 of its bytes."""
    with wrap_read_errors(path), path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _missing(ledger: Ledger) -> set[bytes]:
    """Keys of the inputs whose files, or the archives or lists that they are in, no longer exist."""
    missing, there = set[bytes](), False
    for rows in ledger.tables(["source", "identity"]):
        for key in input_keys(rows).to_pylist():
            path = os.fsdecode(key)
            if is_url(path) or not Path(path).is_absolute() or source_exists(path):
                there = True
            else:
                missing.add(key)
    if missing and not there:
        raise UsageError(
            "all_missing",
            f"No source of {ledger.layout.root} exists here. Perhaps a disk is not mounted, or this is another machine."
            " To forget all of them, name the folder that they were in.",
        )
    return missing


@dataclass(frozen=True, slots=True)
class _Known:
    """What the ledger has of the names and labels: keys of inputs by name, ids with these beginnings, labels.

    by_hand: ids of the faces that got one of the labels by hand.
    """

    sources: dict[str, bytes] = field(default_factory=dict)
    pictures: set[str] = field(default_factory=set)
    faces: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)
    by_hand: set[str] = field(default_factory=set)


def _faces_labelled_by_hand(ledger: Ledger, labels: Sequence[str]) -> dict[str, str]:
    """The labels of the faces that got one of these labels by a decision, by id."""
    wanted = {*map(normalized_text, labels)}
    rows = read_decisions(ledger.layout).table.select(["face_id", "label"]).to_pylist() if wanted else []
    return {row["face_id"]: row["label"] for row in rows if row["label"] in wanted}


def _search(
    ledger: Ledger, found: Resolution, names: Sequence[str], labels: Sequence[str], by_hand: Mapping[str, str]
) -> _Known:
    known = _Known()
    spelled = pa.array([name for what in names for name in _spellings(what) if _is_text(name)], pa.string())
    wanted, decided = (pa.array(some, pa.string()) for some in (map(normalized_text, labels), by_hand))
    prefixes = [what.lower() for what in names if len(what) >= SHORTEST and what.isascii()]
    for rows, named, keys in _parts(ledger, found):
        fit = pc.is_in(named, spelled)
        known.sources.update(zip(named.filter(fit).to_pylist(), keys.filter(fit).to_pylist(), strict=True))
        known.labels.update(pc.unique(rows["label"].filter(pc.is_in(rows["label"], wanted))).to_pylist())
        face_ids = pc.struct_field(rows["faces"].combine_chunks().flatten(), "face_id")
        known.by_hand.update(face_ids.filter(pc.is_in(face_ids, decided)).to_pylist() if by_hand else [])
        for ids, values in ((known.pictures, rows["picture_id"]), (known.faces, face_ids)):
            for prefix in prefixes:
                ids.update(values.filter(pc.starts_with(values, prefix)).drop_null().to_pylist())
    known.labels.update(by_hand[face] for face in known.by_hand)
    return known


def _inputs_in_each(ledger: Ledger, found: Resolution, names: Sequence[str]) -> dict[str, set[bytes]]:
    """The keys of the inputs that each of these names stands for."""
    inputs: dict[str, set[bytes]] = {what: set() for what in names}
    for _, named, keys in _parts(ledger, found):
        by_name = dict(zip(named.to_pylist(), keys.to_pylist(), strict=True))
        for what in names:
            inputs[what] |= inputs_in(what, by_name)
    return inputs


def _parts(ledger: Ledger, found: Resolution) -> Iterator[tuple[pa.Table, pa.ChunkedArray, pa.ChunkedArray]]:
    """The rows of each part, and for those that count: the name of the input in the manifests, and its key."""
    raw, again = tee(ledger.tables(SEARCHED))
    for rows, part in zip(raw, found.resolved(again), strict=True):
        yield rows, part.counted_rows["source"], input_keys(rows).filter(pa.array(part.counts))


def _spellings(what: str) -> tuple[str, ...]:
    """A name as the user typed it, and as it may be written in the manifests."""
    return what, displayed(what), normalized_text(what)


def _is_text(name: str) -> bool:
    """Whether a name is valid Unicode; names in manifests always are."""
    return name.isascii() or not any("\ud800" <= char <= "\udfff" for char in name)


def inputs_named(what: str, named: Mapping[str, bytes]) -> set[bytes]:
    """The key of the input with this name; at most one. named: keys by name."""
    return next(({named[name]} for name in _spellings(what) if name in named), set())


def ids_with_prefix(what: str, known: set[str]) -> set[str]:
    """The id that begins with `what`; at most one. Raises UsageError when there are several."""
    found = {one for one in known if one.startswith(what.lower())} if len(what) >= SHORTEST else set[str]()
    if len(found) > 1:
        raise UsageError("ambiguous_id", f"{len(found)} ids begin with {what!r}; write more of it.")
    return found


def inputs_in(what: str, named: Mapping[str, bytes]) -> set[bytes]:
    """Keys of the inputs in a file, folder, archive, list or glob, by path or by name in the manifests."""
    if not what.strip():
        return set()
    path, name_in_manifests = absolute_path(what), manifest_name(what)
    within = matches_glob if has_magic(what) and not is_url(path) else is_below
    # `.` and `..` mean the folder of this process; names in the manifests are relative to the folder of their build.
    here = name_in_manifests in (".", "..")
    return {
        key
        for name, key in named.items()
        if within(path_of(key), path) or (not here and within(name, name_in_manifests))
    }


def key_of(row: Row) -> bytes:
    """What identifies the input of one row; see `input_keys`."""
    identity: bytes | None = row.get("identity")
    return row["source"].encode() if identity is None else identity

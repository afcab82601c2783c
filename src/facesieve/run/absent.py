"""Finds inputs of a dataset that a build did not find: they are gone from the named inputs, moved, or left out now."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.tables.hashes import HashSet, hashes_of
from facesieve.dataset.tables.inputs import input_keys
from facesieve.records import Mask, RefusalCode, Source
from facesieve.run.keep_rows import keep_rows
from facesieve.run.known import SourceIndex
from facesieve.run.ledger import Ledger
from facesieve.run.lists import hash_of
from facesieve.run.named_inputs import absolute_path, is_below, manifest_name, matches_glob
from facesieve.sources.identity import former_identity
from facesieve.sources.openers import RefusedOpener
from facesieve.sources.remote.url import is_url

COLUMNS = ["source", "identity", "picture_id", "label", "refusal"]  # the columns of the ledger that are read here

_UNREAD = (RefusalCode.UNREADABLE, RefusalCode.BAD_ARCHIVE, RefusalCode.TOO_MANY_BYTES)
_WITHIN = re.compile(r"!|:(?=\0?\d)")  # between an archive and its member, a list and its row


@dataclass(frozen=True, slots=True)
class Absent:
    """Inputs that are in the ledger and were not found: their names by key.

    gone: they were in one of the named inputs and are no longer there, or a named list no longer has them.
    moved: they were elsewhere, their files no longer exist, and the build found the same bytes at another path.
    relabelled: like gone, but the build found the same bytes under another label, and nowhere under this one.
    left_out: they still exist and were refused before, but are no longer read, such as a link to a folder that is
    followed now.
    """

    gone: dict[bytes, str] = field(default_factory=dict)
    moved: dict[bytes, str] = field(default_factory=dict)
    relabelled: dict[bytes, str] = field(default_factory=dict)
    left_out: dict[bytes, str] = field(default_factory=dict)

    def dropped(self, prune: bool) -> set[bytes]:
        """Keys of the inputs whose rows are to be removed: with `prune` all, else those left out or relabelled.

        A face that stayed under its old label too would be one face of two people.
        """
        return {*self.left_out, *self.relabelled, *(self.gone if prune else ()), *(self.moved if prune else ())}

    def __or__(self, other: Absent) -> Absent:
        return Absent(
            self.gone | other.gone,
            self.moved | other.moved,
            self.relabelled | other.relabelled,
            self.left_out | other.left_out,
        )


def find_absent(
    ledger: Ledger, wanted: Sequence[Source], named: Sequence[str], unlisted: Set[bytes] = frozenset()
) -> Absent:
    """Find the inputs in the ledger that a build did not find. Nothing is absent if no inputs were named.

    wanted: the sources of the build. The identity of an input says where it is; rows of version 0.1.0, which have no
    identity, are compared by name. Parts are read one at a time, and memory holds only what is absent.
    unlisted: hashes of the keys of pictures that a list had before and no longer has.
    """
    absent, index = Absent(), SourceIndex(wanted)
    found = _found(ledger, index, wanted) if named else None
    if found is None:
        return absent
    unread, earlier = _unread(wanted), _earlier(wanted)
    names = [manifest_name(argument) for argument in named]
    paths = _folders([absolute_path(argument) for argument in named], index)
    for rows in ledger.tables(COLUMNS):
        keys = input_keys(rows)
        listed = keys.to_pylist()
        without_source = np.logical_and.reduce([one.of(listed) < 0 for one in (index, *earlier)])
        unwanted = rows.append_column("key", keys).filter(pa.array(without_source))
        same, labels = (one.tolist() for one in found.of(unwanted))
        for row, elsewhere, same_label in zip(unwanted.to_pylist(), same, labels, strict=True):
            key, refused = row["key"], row["refusal"] is not None
            for kind in (
                absent.gone,
                absent.moved,
                absent.relabelled,
                absent.left_out,
            ):  # the last row counts
                kind.pop(key, None)
            path = os.fsdecode(key)
            if any(is_below(path, argument) for argument in unread):
                continue
            absolute = Path(path).is_absolute()
            arguments = paths if absolute or is_url(path) else names
            if any(is_below(path, argument) or matches_glob(path, argument) for argument in arguments):
                if is_url(path) or not os.path.lexists(path):
                    kind = absent.relabelled if elsewhere and not (same_label or is_url(path)) else absent.gone
                    kind[key] = row["source"]
                elif refused:
                    absent.left_out[key] = row["source"]
            elif absolute and elsewhere and not source_exists(path):
                absent.moved[key] = row["source"]
            elif unlisted and hash_of(key) in unlisted:
                absent.gone[key] = row["source"]
    return absent


def _folders(arguments: Sequence[str], index: SourceIndex) -> list[str]:
    """The named inputs, without the URLs that name one object: keys may begin with the key of another object."""
    found = index.of([argument.encode("utf-8", "surrogatepass") for argument in arguments]) >= 0
    return [
        argument for argument, is_source in zip(arguments, found, strict=True) if not (is_source and is_url(argument))
    ]


@dataclass(frozen=True, slots=True)
class _Found:
    """What the build found and could read. pictures: ids. labelled: ids with the label."""

    pictures: HashSet
    labelled: HashSet

    def of(self, rows: pa.Table) -> tuple[Mask, Mask]:
        """Whether the build found the picture of each row, and whether it found it under the label of the row."""
        ids, labels = rows["picture_id"].to_pylist(), rows["label"].to_pylist()
        return self.pictures.has(hashes_of(ids)), self.labelled.has(hashes_of([*zip(ids, labels, strict=True)]))


def _found(ledger: Ledger, index: SourceIndex, wanted: Sequence[Source]) -> _Found | None:
    """The pictures in the last rows of the wanted sources. None if there are no other rows."""
    ids, labelled = np.zeros((2, len(wanted)), np.int64)
    read, others = np.zeros(len(wanted), bool), False
    for rows in ledger.tables(COLUMNS):
        at = index.of(input_keys(rows).to_pylist())
        there = at >= 0
        pictures, labels = rows["picture_id"].to_pylist(), rows["label"].to_pylist()
        ids[at[there]] = hashes_of(pictures)[there]
        labelled[at[there]] = hashes_of([*zip(pictures, labels, strict=True)])[there]
        read[at[there]] = np.asarray(pc.is_null(rows["refusal"]))[there]
        others = others or not there.all()
    return _Found(HashSet([ids[read]]), HashSet([labelled[read]])) if others else None


def _earlier(wanted: Sequence[Source]) -> tuple[SourceIndex, SourceIndex]:
    """The wanted sources by the identities and names of earlier versions; a build writes their rows anew."""
    members = [source for source in wanted if b"\0" in source.key]
    by_identity = SourceIndex(members, lambda source: former_identity(source.key))
    return by_identity, SourceIndex(
        wanted, lambda source: (source.former or source.name).encode("utf-8", "surrogatepass")
    )


def _unread(wanted: Iterable[Source]) -> list[str]:
    """Folders, archives and lists that could not be read completely. Members that were not found may still be there."""
    closed = ((source, source.open.code) for source in wanted if isinstance(source.open, RefusedOpener))
    return [re.split(r"[!:]\0", os.fsdecode(source.key))[0] for source, code in closed if code in _UNREAD]


def source_exists(path: str) -> bool:
    """Whether the file of an input exists, or the archive or list that it may be in."""
    ends = [found.start() for found in _WITHIN.finditer(path)]
    return any(os.path.lexists(path[:end]) for end in (None, *ends))


def drop_sources(ledger: Ledger, keys: Collection[bytes], outputs: Outputs) -> set[str]:
    """Remove all rows of these inputs from the ledger. Their files are removed when the dataset is published.

    Returns the names of the parts that were removed because they had no other rows.
    """
    before = ledger.numbers() if keys else []
    for number in before:
        rows = ledger.table(number)
        gone = pc.is_in(input_keys(rows), pa.array(sorted(keys), pa.binary()))
        if pc.any(gone).as_py():
            keep_rows(ledger, number, rows.filter(pc.invert(gone)), outputs)
    left = set(ledger.numbers())
    return {ledger.layout.name_of(ledger.layout.part(number)) for number in before if number not in left}

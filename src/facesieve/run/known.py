"""Compares the sources of a build with the ledger: which are new, which have changed, and which have other labels."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from operator import attrgetter

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.disk.names import normalized_text
from facesieve.dataset.tables.hashes import hashes_of
from facesieve.dataset.tables.inputs import input_keys
from facesieve.records import Integers, Source
from facesieve.run.ledger import TRY_AGAIN, Ledger
from facesieve.run.undone import UNDONE
from facesieve.sources.identity import former_identity
from facesieve.sources.remote.remote import Remote, failures_in

_COLUMNS = ["source", "identity", "fingerprint", "label", "refusal"]
_CHUNK = 1 << 20


class Status(IntEnum):
    """The status of a source, according to its last row."""

    NEW = 0  # it has no row
    DONE = 1
    REDO = 2  # it has another label or another name than in 0.1.0, or was refused with a code that is tried again
    CHANGED = 3  # it has another fingerprint


@dataclass(frozen=True, slots=True, eq=False)
class LastRows:
    """The last row of each of N sources.

    part, row: (N,) int32, its position in the ledger. status: (N,) uint8.
    failures: (N,) uint8, in how many builds it could not be fetched.
    """

    part: npt.NDArray[np.int32]
    row: npt.NDArray[np.int32]
    status: npt.NDArray[np.uint8]
    failures: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class RowUpdate:
    """New values for a row of the ledger."""

    identity: bytes
    fingerprint: str | None = None


def unfinished(sources: Sequence[Source], ledger: Ledger, limit: int) -> list[Source]:
    """The sources that are new, are marked as undone, were refused with a code of `TRY_AGAIN`, or have changed.

    A file with the same size and modification time but another change time (ctime) is read, at most `limit` bytes, and
    compared by its sha256. If the content is the same, the new fingerprint is written into the ledger, so that this is
    done once. Rows of version 0.1.0 have no identity and are matched by name.
    """
    updates: dict[int, dict[int, RowUpdate]] = defaultdict(dict)
    known = _last_rows(sources, ledger, updates)
    fresh = (known.status == Status.NEW) | (known.status == Status.REDO)
    left = [_with_failures(sources[at], int(known.failures[at])) for at in np.flatnonzero(fresh).tolist()]
    changed = np.flatnonzero(known.status == Status.CHANGED)
    for part in sorted({*updates, *np.unique(known.part[changed]).tolist()}):
        since, rows, news = ledger.written(part), ledger.table(part), updates.pop(part, {})
        for at in changed[known.part[changed] == part].tolist():
            source, row = sources[at], int(known.row[at])
            before, picture_id = rows["fingerprint"][row].as_py(), rows["picture_id"][row].as_py()
            if _same_size_and_time(source, before) and (
                _unchanged_since(source, before, since) or _same_content(source, picture_id, limit)
            ):
                news[row] = RowUpdate(source.key, source.fingerprint)
            else:
                left.append(source)
        if news:
            ledger.rewrite(part, _with(rows, news))
    return sorted(left, key=lambda source: (source.name, source.key)) if len(changed) else left


def changed_labels(sources: Sequence[Source], ledger: Ledger) -> Counter[tuple[str, str]]:
    """How many of the sources have another label than in the ledger, by the old label and the new one."""
    index, numbers = SourceIndex(sources), dict[str, int]()
    last = np.full(len(sources), -1, np.int32)  # the number of the label in the last row of each source
    for table in ledger.tables(["source", "identity", "label"]):
        at = index.of(input_keys(table).to_pylist())
        there = at >= 0
        labels = [numbers.setdefault(label, len(numbers)) for label in table["label"].to_pylist()]
        last[at[there]] = np.array(labels, np.int32)[there]
    names = list(numbers)
    known = np.flatnonzero(last >= 0).tolist()
    pairs = ((names[last[at]], normalized_text(sources[at].label)) for at in known)
    return Counter(pair for pair in pairs if pair[0] != pair[1])


def readable(sources: Sequence[Source], ledger: Ledger) -> int:
    """How many of the sources are not refused, according to their last rows."""
    index, found = SourceIndex(sources), np.zeros(len(sources), bool)
    for table in ledger.tables(["source", "identity", "refusal"]):
        at = index.of(input_keys(table).to_pylist())
        there = at >= 0
        found[at[there]] = np.asarray(pc.is_null(table["refusal"]))[there]
    return int(found.sum())


class SourceIndex:
    """Finds sources in a list by their key, or by another unique value. It takes 16 bytes per source."""

    def __init__(self, sources: Sequence[Source], key_of: Callable[[Source], bytes] = attrgetter("key")) -> None:
        self._sources, self._key_of = sources, key_of
        hashes = np.fromiter((hash(key_of(source)) for source in sources), np.int64, len(sources))
        self._order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[self._order]

    def of(self, keys: Sequence[bytes]) -> Integers:
        """(N,) int64: the position of the source with each key; -1 if there is none."""
        starts = np.searchsorted(self._hashes, hashes_of(list(keys))).tolist()
        return np.array([self._find(key, start) for key, start in zip(keys, starts, strict=True)], np.int64)

    def _find(self, key: bytes, start: int) -> int:
        wanted = hash(key)
        while start < len(self._hashes) and self._hashes[start] == wanted:
            at = int(self._order[start])
            if self._key_of(self._sources[at]) == key:
                return at
            start += 1
        return -1


def _last_rows(sources: Sequence[Source], ledger: Ledger, updates: dict[int, dict[int, RowUpdate]]) -> LastRows:
    """Find the last row of every source.

    Rows without an identity are matched by name and get one. Rows of archive members with an identity in the former
    format get a new one, unless a file really has that path: then the row may belong to the file.
    """
    index, by_name = SourceIndex(sources), dict[str, int]()
    members = [at for at, source in enumerate(sources) if b"\0" in source.key]
    by_former = SourceIndex([sources[at] for at in members], lambda source: former_identity(source.key))
    count = len(sources)
    positions, small = np.zeros((2, count), np.int32), np.zeros((2, count), np.uint8)
    known = LastRows(*positions, *small)
    for part in ledger.numbers():
        table = ledger.table(part, _COLUMNS)
        names, identities, fingerprints, labels, refusals = (table[name].to_pylist() for name in _COLUMNS)
        if None in identities and not by_name:
            by_name = _by_name(sources)
        keys = [b"" if identity is None else identity for identity in identities]
        found, before = index.of(keys).tolist(), by_former.of(keys).tolist()
        for row, identity in enumerate(identities):
            at = by_name.get(names[row], -1) if identity is None else found[row]
            if at < 0 <= before[row] and identity is not None and not os.path.lexists(identity):
                at = members[before[row]]
            if at < 0:
                continue
            source = sources[at]
            if identity != source.key:
                updates[part][row] = RowUpdate(source.key)
            known.part[at], known.row[at] = part, row
            renamed = identity is None and bool(source.former)
            failures = failures_in(fingerprints[row] or "")
            if failures and isinstance(source.open, Remote) and failures >= source.open.settings.fetch_builds:
                known.status[at] = Status.DONE
                continue
            known.failures[at] = failures
            if refusals[row] in TRY_AGAIN or renamed or labels[row] != normalized_text(source.label):
                known.status[at] = Status.REDO
            else:
                unknown = not source.fingerprint and isinstance(source.open, Remote)  # a list does not tell
                same = fingerprints[row] != UNDONE and (unknown or fingerprints[row] == source.fingerprint)
                known.status[at] = Status.DONE if same else Status.CHANGED
    return known


def _with_failures(source: Source, failures: int) -> Source:
    """The source with the number of earlier builds in which it could not be fetched."""
    if not failures or not isinstance(source.open, Remote):
        return source
    return replace(source, open=replace(source.open, failures=failures))


def _by_name(sources: Sequence[Source]) -> dict[str, int]:
    """The positions of the sources by the names that version 0.1.0 gave them."""
    positions = {source.former: at for at, source in enumerate(sources) if source.former}
    return positions | {source.name: at for at, source in enumerate(sources) if not source.former}


def _same_size_and_time(source: Source, fingerprint: str) -> bool:
    """Whether size and modification time are the same, so that only the content can show a difference."""
    stamp, _, changed = source.fingerprint.partition("@")
    return bool(changed) and stamp == fingerprint.partition("@")[0]


def _unchanged_since(source: Source, fingerprint: str, since: int) -> bool:
    """Whether the row is of version 0.1.0, which stored no change time, and was written after the file last changed."""
    return "@" not in fingerprint and int(source.fingerprint.partition("@")[2]) < since


def _same_content(source: Source, picture_id: str | None, limit: int) -> bool:
    if picture_id is None or source.open is None:
        return False
    digest, left = hashlib.sha256(), limit
    try:
        with source.open() as stream:
            while left > 0 and (part := stream.read(min(left, _CHUNK))):
                digest.update(part)
                left -= len(part)
    except Exception:  # the build will read it again and refuse it with a reason
        return False
    return digest.hexdigest() == picture_id


def _with(table: pa.Table, rows: dict[int, RowUpdate]) -> pa.Table:
    """The table with new values for some of its rows."""
    columns = {name: table[name].to_pylist() for name in ("identity", "fingerprint")}
    for row, update in rows.items():
        columns["identity"][row] = update.identity
        columns["fingerprint"][row] = update.fingerprint or columns["fingerprint"][row]
    for name, values in columns.items():
        at = table.schema.get_field_index(name)
        field = table.schema.field(at)
        table = table.set_column(at, field, pa.array(values, field.type))
    return table

"""Inputs of a dataset that a build no longer finds: gone from the named places, moved, or no longer taken."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.tables.hashes import HashSet, hashes_of
from facesieve.dataset.tables.inputs import input_keys
from facesieve.records import RefusalCode, Source
from facesieve.run.forget import replace_rows
from facesieve.run.known import Places
from facesieve.run.ledger import Ledger
from facesieve.run.places import below, by_path, by_words, matches
from facesieve.sources.naming import former_identity
from facesieve.sources.opening import Closed

COLUMNS = ["source", "identity", "picture_id", "refusal"]  # of the ledger that tell what is absent

_UNSEEN = (RefusalCode.UNREADABLE, RefusalCode.BAD_ARCHIVE, RefusalCode.TOO_MANY_BYTES)
_WITHIN = re.compile(r"!|:(?=\0?\d)")  # between an archive and its member, a list and its row


@dataclass(frozen=True, slots=True)
class Absent:
    """Inputs that are in the ledger and were not found: their names by key.

    gone: they lie under the named places, which no longer have them. moved: they lie elsewhere, their files are not on
    disk any more, and the build found the same bytes at another path. untaken: they were refused before, and are not
    taken any more though they are there, such as a link to a folder that is followed now.
    """

    gone: dict[bytes, str] = field(default_factory=dict)
    moved: dict[bytes, str] = field(default_factory=dict)
    untaken: dict[bytes, str] = field(default_factory=dict)

    def dropped(self, prune: bool) -> set[bytes]:
        """Keys of the inputs whose rows are removed: what is not taken any more, and with `prune` the others too."""
        return {*self.untaken, *(self.gone if prune else ()), *(self.moved if prune else ())}

    def __or__(self, other: Absent) -> Absent:
        return Absent(self.gone | other.gone, self.moved | other.moved, self.untaken | other.untaken)


def find_absent(ledger: Ledger, wanted: Sequence[Source], named: Sequence[str]) -> Absent:
    """What the ledger has and a build did not find. Nothing where no places were named.

    wanted: the build's sources. An input lies where its identity says; only rows of version 0.1.0, which have none, are
    compared by name. The parts are read one at a time; only what is absent is held.
    """
    absent, places = Absent(), Places(wanted)
    found = _contents(ledger, places, len(wanted)) if named else None
    if found is None:
        return absent
    unseen, earlier = _unseen(wanted), _earlier(wanted)
    by_name = [by_words(argument) for argument in named]
    by_place = [by_path(argument) for argument in named]
    for rows in ledger.tables(COLUMNS):
        keys = input_keys(rows)
        listed = keys.to_pylist()
        of_none = np.logical_and.reduce([one.of(listed) < 0 for one in (places, *earlier)])
        unwanted = rows.append_column("key", keys).filter(pa.array(of_none))
        same = found.has(hashes_of(unwanted["picture_id"].to_pylist())).tolist()
        for row, elsewhere in zip(unwanted.to_pylist(), same, strict=True):
            key, refused = row["key"], row["refusal"] is not None
            for kind in (absent.gone, absent.moved, absent.untaken):  # of an input the last row counts
                kind.pop(key, None)
            path = os.fsdecode(key)
            if any(below(path, place) for place in unseen):
                continue
            absolute = Path(path).is_absolute()
            if any(below(path, place) or matches(path, place) for place in (by_place if absolute else by_name)):
                if not os.path.lexists(path):
                    absent.gone[key] = row["source"]
                elif refused:
                    absent.untaken[key] = row["source"]
            elif absolute and elsewhere and not _there(path):
                absent.moved[key] = row["source"]
    return absent


def _contents(ledger: Ledger, places: Places, count: int) -> HashSet | None:
    """Hashes of the bytes of the `count` wanted pictures by their last rows; None where all rows are of these."""
    ids, read, others = np.zeros(count, np.int64), np.zeros(count, bool), False
    for rows in ledger.tables(COLUMNS):
        at = places.of(input_keys(rows).to_pylist())
        there = at >= 0
        ids[at[there]] = hashes_of(rows["picture_id"].to_pylist())[there]
        read[at[there]] = np.asarray(pc.is_null(rows["refusal"]))[there]
        others = others or not there.all()
    return HashSet([ids[read]]) if others else None


def _earlier(wanted: Sequence[Source]) -> tuple[Places, Places]:
    """The wanted sources by the identities and names that earlier versions wrote; the build renews their rows."""
    members = [source for source in wanted if b"\0" in source.key]
    by_identity = Places(members, lambda source: former_identity(source.key))
    return by_identity, Places(wanted, lambda source: (source.former or source.name).encode("utf-8", "surrogatepass"))


def _unseen(wanted: Iterable[Source]) -> list[str]:
    """Folders, archives and lists that the build could not read whole: what lies in them is not known to be gone."""
    closed = ((source, source.open.code) for source in wanted if isinstance(source.open, Closed))
    return [re.split(r"[!:]\0", os.fsdecode(source.key))[0] for source, code in closed if code in _UNSEEN]


def _there(path: str) -> bool:
    """Whether the file of an input is on disk, or the archive or list that it may be in."""
    ends = [found.start() for found in _WITHIN.finditer(path)]
    return any(os.path.lexists(path[:end]) for end in (None, *ends))


def drop_sources(ledger: Ledger, keys: Collection[bytes], outputs: Outputs) -> set[str]:
    """Remove all rows of these inputs from the ledger. Their files go when the dataset is published.

    Returns the names of parts that are gone because they had no other rows.
    """
    before = ledger.numbers() if keys else []
    for number in before:
        rows = ledger.table(number)
        gone = pc.is_in(input_keys(rows), pa.array(sorted(keys), pa.binary()))
        if pc.any(gone).as_py():
            replace_rows(ledger, number, rows.filter(pc.invert(gone)), outputs)
    left = set(ledger.numbers())
    return {ledger.layout.name_of(ledger.layout.part(number)) for number in before if number not in left}

"""Inputs of a dataset that a build no longer finds: gone from the named places, moved, or no longer taken."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.distinct import keys_of
from facesieve.dataset.files import Outputs
from facesieve.run.forget import replace_rows
from facesieve.run.ledger import Ledger
from facesieve.run.places import below, by_path, by_words, matches

COLUMNS = ["source", "identity", "picture_id", "refusal"]  # of the ledger that tell what is absent

_WITHIN = re.compile(r"!|:(?=\d)")  # between an archive and its member, a list and its row


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


def find_absent(parts: Sequence[pa.Table], wanted: Collection[bytes], named: Sequence[str]) -> Absent:
    """What the ledger has and a build did not find. Nothing where no places were named.

    wanted: keys of the build's sources. An input lies where its identity says; only rows of version 0.1.0, which have
    none, are compared by name.
    """
    absent = Absent()
    if not named:
        return absent
    by_name = [by_words(argument) for argument in named]
    by_place = [by_path(argument) for argument in named]
    found = {picture_id for key, _, picture_id, refusal in _rows(parts) if key in wanted and refusal is None}
    for key, name, picture_id, refusal in _rows(parts):
        if key in wanted:
            continue
        for kind in (absent.gone, absent.moved, absent.untaken):  # of an input the last row counts
            kind.pop(key, None)
        where = os.fsdecode(key)
        absolute = Path(where).is_absolute()
        if any(_gone(where, place) for place in (by_place if absolute else by_name)):
            untaken = refusal is not None and os.path.lexists(where)
            (absent.untaken if untaken else absent.gone)[key] = name
        elif absolute and picture_id in found and not _there(where):
            absent.moved[key] = name
    return absent


def _rows(parts: Iterable[pa.Table]) -> Iterator[tuple[bytes, str, str | None, str | None]]:
    """Key, name, picture_id and refusal of every row, oldest first."""
    for table in parts:
        columns = (keys_of(table), *(table[name] for name in ("source", "picture_id", "refusal")))
        yield from zip(*(column.to_pylist() for column in columns), strict=True)


def _gone(where: str, place: str) -> bool:
    """Whether an input that was not found lay in a place. What no longer fits a glob, but is there, is not gone."""
    return below(where, place) or (matches(where, place) and not os.path.lexists(where))


def _there(where: str) -> bool:
    """Whether the file of an input is on disk, or the archive or list that it may be in."""
    ends = [found.start() for found in _WITHIN.finditer(where)]
    return any(os.path.lexists(where[:end]) for end in (None, *ends))


def drop_sources(ledger: Ledger, keys: Collection[bytes], outputs: Outputs) -> set[str]:
    """Remove all rows of these inputs from the ledger. Their files go when the dataset is published.

    Returns the names of parts that are gone because they had no other rows.
    """
    before = ledger.numbers() if keys else []
    for number in before:
        rows = ledger.table(number)
        gone = pc.is_in(keys_of(rows), pa.array(sorted(keys), pa.binary()))
        if pc.any(gone).as_py():
            replace_rows(ledger, number, rows.filter(pc.invert(gone)), outputs)
    left = set(ledger.numbers())
    return {ledger.layout.name_of(ledger.layout.part(number)) for number in before if number not in left}

"""Rows that went with a part of the ledger, remembered until a build has done their pictures again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa

from facesieve.dataset.commit import settle, writing
from facesieve.dataset.layout import Layout
from facesieve.dataset.tables import read_json, read_table, write_json
from facesieve.errors import DatasetError


class LostPicture(NamedTuple):
    """What the manifest said of a picture before its row was lost."""

    source: str
    picture_id: str | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class Lost:
    """Names of parts of the ledger that a repair removed, and the pictures whose rows are gone.

    Where the manifest was damaged too, nobody knows the pictures, and there are none here.
    """

    parts: tuple[str, ...] = ()
    pictures: tuple[LostPicture, ...] = ()

    def line(self) -> str:
        """One line for a person, or "" when nothing is lost.

        >>> Lost(("parts/0.parquet",), (LostPicture("a.jpg"), LostPicture("b.jpg"))).line()
        '1 ledger part was damaged: the rows of 2 pictures are gone until you run the same build again'
        """
        if not self.parts:
            return ""
        parts = "1 ledger part was" if len(self.parts) == 1 else f"{len(self.parts)} ledger parts were"
        number = len(self.pictures)
        whose = f"{number} picture{'s' * (number > 1)}" if number else "some pictures"
        return f"{parts} damaged: the rows of {whose} are gone until you run the same build again"


def read_lost(layout: Layout) -> Lost:
    """What is lost and not done again; nothing where no repair removed a part."""
    if not layout.lost.exists():
        return Lost()
    try:
        values = read_json(layout.lost)
        return Lost(tuple(values["parts"]), tuple(LostPicture(*picture) for picture in values["pictures"]))
    except (DatasetError, KeyError, TypeError, ValueError):
        return Lost((layout.name_of(layout.lost),))


def note_lost(layout: Layout, parts: Iterable[str], pictures: pa.Table) -> None:
    """Remember that parts will be removed, while the manifest still names their pictures; pictures: what is left."""
    known, before = read_lost(layout), _published(layout)
    left = set(pictures["source"].to_pylist())
    gone = {one.source: one for one in (*known.pictures, *before) if one.source not in left}
    _write(layout, Lost(tuple(sorted({*known.parts, *parts})), tuple(gone.values())))


def note_found(layout: Layout, pictures: pa.Table, given_up: Callable[[str], bool]) -> None:
    """Strike out the pictures that a build has done again, under their old name or another, and those given up."""
    names, ids = set(pictures["source"].to_pylist()), set(pictures["picture_id"].to_pylist()) - {None}
    strike(layout, lambda one: one.source in names or one.picture_id in ids or given_up(one.source))


def strike(layout: Layout, settled: Callable[[LostPicture], bool]) -> None:
    """Strike out the pictures that need not be done again."""
    known = read_lost(layout)
    if known.parts:
        left = tuple(one for one in known.pictures if not settled(one))
        _write(layout, Lost(known.parts if left else (), left))


def _published(layout: Layout) -> list[LostPicture]:
    """The pictures of the published manifest; none where it cannot be read."""
    try:
        rows = read_table(layout.pictures, list(LostPicture._fields))
    except DatasetError:
        return []
    columns = (rows[name].to_pylist() for name in LostPicture._fields)  # Arrow reads them in the file's order
    return [LostPicture(*row) for row in zip(*columns, strict=True)]


def _write(layout: Layout, lost: Lost) -> None:
    if lost.parts:
        values = {"parts": list(lost.parts), "pictures": [list(pair) for pair in lost.pictures]}
        write_json(values, layout.lost, layout.scratch)
        return
    with writing(layout.lost):
        layout.lost.unlink(missing_ok=True)
    settle([layout.lost], layout.root)

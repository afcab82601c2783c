"""Pictures whose rows were in a damaged part of the ledger, remembered until a build has done them again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.disk.atomic import sync_folders, wrap_write_errors
from facesieve.dataset.disk.json_file import read_json, write_json
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.parquet import read_groups
from facesieve.dataset.tables.hashes import HashSet, hashes_of
from facesieve.errors import DatasetError


class LostPicture(NamedTuple):
    """What the manifest had of a picture before its row was lost."""

    source: str
    picture_id: str | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class Lost:
    """Parts of the ledger that a repair removed, by name, and the pictures whose rows were in them.

    If the manifest was damaged too, the pictures are unknown and `pictures` is empty.
    """

    parts: tuple[str, ...] = ()
    pictures: tuple[LostPicture, ...] = ()

    def line(self) -> str:
        """One line for the user, or "" when nothing is lost.

        >>> Lost(("parts/0.parquet",), (LostPicture("a.jpg"), LostPicture("b.jpg"))).line()
        '1 ledger part was damaged: the rows of 2 pictures are gone until you run the same build again'
        """
        if not self.parts:
            return ""
        parts = "1 ledger part was" if len(self.parts) == 1 else f"{len(self.parts)} ledger parts were"
        number = len(self.pictures)
        owner = f"{number} picture{'s' * (number > 1)}" if number else "some pictures"
        return f"{parts} damaged: the rows of {owner} are gone until you run the same build again"


def read_lost(layout: Layout) -> Lost:
    """What is lost and not done again yet; empty if no repair removed a part."""
    if not layout.lost.exists():
        return Lost()
    try:
        values = read_json(layout.lost)
        return Lost(tuple(values["parts"]), tuple(LostPicture(*picture) for picture in values["pictures"]))
    except (DatasetError, KeyError, TypeError, ValueError):
        return Lost((layout.name_of(layout.lost),))


def record_lost(layout: Layout, parts: Iterable[str], left: Iterable[Sequence[str]]) -> None:
    """Record that parts will be removed, while the manifest still has their pictures.

    left: names of the inputs that stay, in blocks.
    """
    known, names = read_lost(layout), HashSet(map(hashes_of, left))
    before = (LostPicture(*row) for rows in _published(layout, names) for row in _rows(rows))
    gone = {one.source: one for one in known.pictures if not names.has(hashes_of([one.source]))[0]}
    gone |= {one.source: one for one in before}
    _write(layout, Lost(tuple(sorted({*known.parts, *parts})), tuple(gone.values())))


def remove_found(layout: Layout, given_up: Callable[[str], bool]) -> None:
    """Remove the lost pictures that a build has done again, under their old name or another one.

    The build must have published its manifest. given_up: whether to remove a source that was not done again.
    """
    lost = read_lost(layout).pictures
    wanted = {
        "source": pa.array([one.source for one in lost], pa.string()),
        "picture_id": pa.array([one.picture_id for one in lost if one.picture_id is not None], pa.string()),
    }
    there: dict[str, set[str]] = {name: set() for name in wanted}
    for path in layout.files_of(layout.pictures) if lost else ():
        for rows in read_groups(path, list(wanted), trusted=True):
            for name, values in wanted.items():
                there[name].update(rows[name].filter(pc.is_in(rows[name], values)).to_pylist())
    remove_lost(
        layout,
        lambda one: one.source in there["source"] or one.picture_id in there["picture_id"] or given_up(one.source),
    )


def remove_lost(layout: Layout, settled: Callable[[LostPicture], bool]) -> None:
    """Remove the lost pictures that need not be done again. settled: whether a picture is one of these."""
    known = read_lost(layout)
    if known.parts:
        left = tuple(one for one in known.pictures if not settled(one))
        _write(layout, Lost(known.parts if left else (), left))


def _published(layout: Layout, left: HashSet) -> list[pa.Table]:
    """Rows of the published manifest whose names are not among `left`; none if it cannot be read."""
    groups = (rows for path in layout.files_of(layout.pictures) for rows in read_groups(path, LostPicture._fields))
    try:
        return [rows.filter(pa.array(~left.has(hashes_of(rows["source"].to_pylist())))) for rows in groups]
    except DatasetError:
        return []


def _rows(table: pa.Table) -> Iterator[tuple[str, ...]]:
    columns = (
        table[name].to_pylist() for name in LostPicture._fields
    )  # Arrow returns columns in the order of the file
    return zip(*columns, strict=True)


def _write(layout: Layout, lost: Lost) -> None:
    if lost.parts:
        values = {"parts": list(lost.parts), "pictures": [list(pair) for pair in lost.pictures]}
        write_json(values, layout.lost, layout.scratch)
        return
    with wrap_write_errors(layout.lost):
        layout.lost.unlink(missing_ok=True)
    sync_folders([layout.lost], layout.root)

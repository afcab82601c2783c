"""Whether a dataset is whole: every row has its files, every file its row, and every byte is as it was written."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image

from facesieve.dataset.about import read_about, read_made
from facesieve.dataset.disk.checksums import (
    Checksum,
    Checksums,
    checksum_of_file,
    checksum_pairs,
    checksums_by_name,
    read_checksums,
)
from facesieve.dataset.disk.format import OTHER_FORMAT
from facesieve.dataset.disk.intact import has_end_marker
from facesieve.dataset.disk.layout import HIDDEN, Layout, file_size
from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.disk.parquet import read_groups, row_count
from facesieve.dataset.manifests import open_with_checksums
from facesieve.dataset.origin import Origin
from facesieve.dataset.tables.hashes import Hashes, HashSet, hashes_of
from facesieve.dataset.tables.join import join_checksums
from facesieve.dataset.tables.merge import Block, merge
from facesieve.dataset.tables.named_files import NAMING_COLUMNS, files_of_part, named_files
from facesieve.dataset.tables.resolve import resolve, with_part_schema
from facesieve.dataset.tables.row_stream import RowStream
from facesieve.dataset.tables.schema import face_schema, picture_schema, with_later_columns
from facesieve.errors import DatasetError
from facesieve.run.claim import being_written
from facesieve.run.ledger import Ledger
from facesieve.run.lost import Lost, read_lost
from facesieve.run.mend import UNDONE, missing_sums
from facesieve.run.publish import orphaned_files, published_files, unnamed_files

_PARTS = f"{HIDDEN}/parts/"


class FaultCode(StrEnum):
    """What can be wrong with a file of a dataset: a closed list."""

    MISSING = "missing"  # a row, or the build, names it
    DAMAGED = "damaged"  # its bytes are not those that were written, or cannot be read
    NO_ROW = "no_row"  # no row names it
    OUTDATED = "outdated"  # it does not say what the ledger says


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong: a code and the file's name, relative to the dataset."""

    code: FaultCode
    name: str


@dataclass(frozen=True, slots=True)
class Report:
    """What a check found.

    faults: everything that is wrong. files: how many files were looked at. without_sum: of them, those whose
    checksum was never written. undone: pictures that the next build does again, those of `lost` among them.
    foreign: names of files in the dataset's folders that no build writes; they are left alone.
    continuable: whether a build can add to it; what `facesieve sieve` wrote, or lost its `.facesieve`, has no ledger.
    lost: what went with parts of the ledger that a repair removed.
    """

    faults: tuple[Fault, ...]
    files: int
    without_sum: int
    undone: int
    foreign: tuple[str, ...]
    lost: Lost
    continuable: bool

    @property
    def gone_parts(self) -> tuple[str, ...]:
        """Names of parts of the ledger that are damaged or missing: a repair cannot restore their rows."""
        return tuple(fault.name for fault in self.faults if fault.name.startswith(_PARTS))

    def plain(self) -> dict[str, Any]:
        """As values that JSON holds."""
        return {
            "faults": [{"code": str(fault.code), "file": fault.name} for fault in self.faults],
            "files": self.files,
            "without_checksum": self.without_sum,
            "undone": self.undone,
            "foreign": list(self.foreign),
            "continuable": self.continuable,
            "lost": {"parts": len(self.lost.parts), "pictures": len(self.lost.pictures)},
        }


@dataclass(frozen=True, slots=True)
class Contents:
    """What could be read of a dataset.

    origin: what made it. parts: numbers of the ledger's parts whose rows could be read, ascending.
    published: the sums of the published files, as far as they could be read.
    damaged_sums: names of files of sums that could not.
    """

    layout: Layout
    origin: Origin
    parts: tuple[int, ...]
    published: Checksums
    damaged_sums: frozenset[str]

    @property
    def outputs(self) -> Outputs:
        return self.origin.options.outputs

    def table(self, number: int, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows of one part. Raises DatasetError when they are absent, damaged or of another format."""
        return Ledger(self.layout).read(number, columns, self.known(number))

    def tables(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The rows of the parts that could be read, one part at a time."""
        return (self.table(number, columns) for number in self.parts)

    def sums(self, number: int) -> Checksums:
        """The sums of a shard's files; none where they are damaged."""
        path = self.layout.sums_of(number)
        return {} if self.layout.name_of(path) in self.damaged_sums else read_checksums(path)

    def known(self, number: int) -> frozenset[Checksum]:
        """The sums that the rows of a shard may have; none where those of the shard are damaged."""
        if self.layout.name_of(self.layout.sums_of(number)) in self.damaged_sums:
            return frozenset()
        name = self.layout.name_of(self.layout.part(number))
        return self.sums(number).get(name, frozenset()) | self.published.get(name, frozenset())

    def own_sums(self) -> Checksums:
        """The sums of all files besides pictures."""
        numbers = self.layout.numbers(self.layout.sums)
        hidden = (
            pair for number in numbers for pair in checksum_pairs(self.sums(number)) if pair[0].startswith(HIDDEN)
        )
        return checksums_by_name([*hidden, *checksum_pairs(self.published)])

    def names(self) -> Iterator[tuple[Collection[str], Checksums]]:
        """The picture files that the manifests name, some at a time, with the sums of at least these files."""
        if not has_ledger(self.layout):
            yield from self._names_of_manifests()
            return
        with resolve(self.tables, None) as found:
            for number, part in zip(self.parts, found.resolved(self.tables(NAMING_COLUMNS)), strict=True):
                yield files_of_part(part, self.outputs), self.sums(number)

    def blocks(self) -> Iterator[Block]:
        """What the manifests say, or should say where there is a ledger."""
        if has_ledger(self.layout):
            return merge(self.tables, self.origin.measures)
        return open_with_checksums(self.layout, self.published).blocks()

    def sources(self) -> Iterator[list[str]]:
        """What the inputs in the parts that could be read are called, some at a time."""
        with resolve(self.tables, None) as found:
            for part in found.resolved(self.tables(["source"])):
                yield part.counted_rows["source"].to_pylist()

    def _names_of_manifests(self) -> Iterator[tuple[Collection[str], Checksums]]:
        names = (dict.fromkeys(named_files(*block, self.outputs), "") for block in self.blocks())
        sums = (self.sums(number) for number in self.layout.numbers(self.layout.sums))
        faces = sum(map(row_count, self.layout.files_of(self.layout.faces)))
        return join_checksums(names, sums, faces * (1 + len(self.outputs.cuts)), None)


def check_dataset(root: Path) -> Report:
    """Look at every file of a dataset; nothing is changed.

    Raises DatasetError when the folder is no dataset, is unfinished, or nothing can be said of it, and `in_use` where
    something is not as it was written and a build was writing meanwhile.
    """
    layout = Layout(root)
    busy = being_written(layout)
    try:
        report = _look_at(layout)
    except DatasetError:
        if not busy and not being_written(layout):
            raise
    else:
        if not report.faults or not (busy or being_written(layout)):
            return report
    raise DatasetError("in_use", f"A build is writing to {root}; check it when the build has ended.")


def _look_at(layout: Layout) -> Report:
    if layout.made.exists() and not layout.about.exists() and not layout.faces.exists():
        raise DatasetError("unfinished", f"{layout.root} is unfinished; run the same build again to finish it.")
    faults: list[Fault] = []
    contents = read_contents(layout, faults)
    faults += _missing_sums(layout)
    look, named = _Look(layout, {fault.name for fault in faults}), list[Hashes]()
    for names, sums in contents.names():
        named.append(hashes_of(list(names)))
        look.at(names, sums)
    look.faults.sort(key=lambda fault: fault.name)
    look.at(_own_files(contents), contents.own_sums())
    faults += look.faults
    faults += _outdated(contents, {fault.name for fault in faults})
    if len(contents.parts) == len(layout.numbers(layout.parts)):  # else it is not known what their rows name
        faults += [Fault(FaultCode.NO_ROW, name) for name in sorted(unnamed_files(layout, HashSet(named)))]
        told = {fault.name for fault in faults}
        faults += [Fault(FaultCode.NO_ROW, name) for name in _orphans(contents) if name not in told]
    lost = read_lost(layout)
    return Report(
        tuple(dict.fromkeys(faults)),
        look.files,
        look.without_sum,
        _undone(contents) + len(lost.pictures),
        (*sorted(layout.foreign_files()), *_foreign(layout)),
        lost,
        has_ledger(layout),
    )


def read_contents(layout: Layout, faults: list[Fault]) -> Contents:
    """Read what can be read; what cannot becomes a fault. Raises DatasetError when nothing says what the rows are."""
    published, damaged_sums = dict[str, frozenset[Checksum]](), set[str]()
    for path in [layout.published_sums, *(layout.sums_of(number) for number in layout.numbers(layout.sums))]:
        try:
            sums = read_checksums(path)
            published = sums if path == layout.published_sums else published
        except DatasetError:
            damaged_sums.add(layout.name_of(path))
            faults.append(Fault(FaultCode.DAMAGED, layout.name_of(path)))
    origin = _origin(layout, published, faults)
    contents = Contents(layout, origin, tuple(layout.numbers(layout.parts)), published, frozenset(damaged_sums))
    if not has_ledger(layout):
        open_with_checksums(layout, published)
    return replace(contents, parts=tuple(_readable_parts(contents, faults)))


def has_ledger(layout: Layout) -> bool:
    """Whether a build wrote this dataset; what `facesieve sieve` wrote has manifests alone."""
    return layout.made.exists() or bool(layout.numbers(layout.parts))


def _missing_sums(layout: Layout) -> list[Fault]:
    """Files of sums that are gone. Where there are none at all, version 0.1.0 wrote the dataset."""
    gone = [layout.name_of(layout.published_sums)] if layout.numbers(layout.sums) and layout.about.exists() else []
    if layout.published_sums.exists():
        try:
            gone = missing_sums(layout)
        except DatasetError:  # told already
            gone = []
    return [Fault(FaultCode.MISSING, name) for name in gone]


def _orphans(contents: Contents) -> list[str]:
    """What shards that have no part left behind, but not what was left when the part of a finished one was lost."""
    layout = contents.layout
    if not has_ledger(layout):
        return []
    left = orphaned_files(layout)
    parts = (layout.name_of(layout.parts) + "/" + Path(name).with_suffix(".parquet").name for name in left)
    return [name for name, part in zip(left, parts, strict=True) if part not in contents.published]


def _undone(contents: Contents) -> int:
    """How many sources have a last row that is marked as to be done again."""
    undone = 0
    with resolve(contents.tables, None) as found:
        for part in found.resolved(contents.tables(["fingerprint"])):
            marked = pc.equal(part.rows["fingerprint"], UNDONE)
            undone += int(np.count_nonzero(np.asarray(pc.fill_null(marked, False)) & part.counts))
    return undone


def _origin(layout: Layout, sums: Checksums, faults: list[Fault]) -> Origin:
    """What made the dataset, from either of the two files that say it."""
    found: list[Origin] = []
    errors: list[DatasetError] = []
    for path in [layout.about, *([layout.made] if has_ledger(layout) else [])]:
        known = sums.get(layout.name_of(path), frozenset())
        try:
            found.append(read_about(layout, known).origin if path == layout.about else read_made(layout, known))
        except DatasetError as error:
            if error.code in OTHER_FORMAT:
                raise
            errors.append(error)
            missing = error.code == "not_a_dataset"
            faults.append(Fault(FaultCode.MISSING if missing else FaultCode.DAMAGED, layout.name_of(path)))
    if not found:
        raise errors[0]
    return found[0]


def _readable_parts(contents: Contents, faults: list[Fault]) -> Iterator[int]:
    for number in contents.parts:
        try:
            rows = contents.table(number)
            if not contents.known(number):
                with_part_schema(rows, contents.origin.measures)  # has it the columns of a part?
            yield number
        except DatasetError as error:
            if error.code in ("out_of_memory", *OTHER_FORMAT):
                raise
            faults.append(Fault(FaultCode.DAMAGED, contents.layout.name_of(contents.layout.part(number))))


def _own_files(contents: Contents) -> list[str]:
    """Files besides pictures that must be there: small pictures, and what was there when last published."""
    layout, ledger = contents.layout, has_ledger(contents.layout)
    thumbs = (layout.thumbs_of(number) for number in layout.numbers(layout.parts if ledger else layout.thumbs))
    manifests = tuple(f"{layout.name_of(path)}/" for path in (layout.parts, layout.faces, layout.pictures))
    once = {name for name in contents.published if name.startswith(manifests)}
    names = {*map(layout.name_of, thumbs), *published_files(layout), *once}
    if not ledger:
        names.discard(layout.name_of(layout.made))
    for manifest in (layout.faces, layout.pictures):  # a folder that is gone is told by its files
        if any(name.startswith(f"{layout.name_of(manifest)}/") for name in once) and not manifest.exists():
            names.discard(layout.name_of(manifest))
    return sorted(names)


class _Look:
    """Files as they are on disk, one after the other. told: names of files whose fault is known already."""

    def __init__(self, layout: Layout, told: set[str]) -> None:
        self._layout, self._told = layout, told
        self.faults: list[Fault] = []
        self.files = self.without_sum = 0

    def at(self, names: Iterable[str], sums: Checksums) -> None:
        """Files with the sums that they may have."""
        for name in names:
            self.files += 1
            self.without_sum += name not in sums
            if name not in self._told:
                self._compare(name, sums)

    def _compare(self, name: str, sums: Checksums) -> None:
        path = self._layout.root / name
        size = file_size(path)
        if size is None:
            self.faults.append(Fault(FaultCode.MISSING, name))
        elif not (checksum_of_file(path) in sums[name] if name in sums else size and _readable(path)):
            self.faults.append(Fault(FaultCode.DAMAGED, name))


def _readable(path: Path) -> bool:
    """Whether a file without a sum is what its name says, as far as its format can tell."""
    try:
        if path.suffix in (".png", ".jpg"):
            with Image.open(path) as picture:
                picture.load()
            return has_end_marker(path)
        if path.suffix == ".parquet":
            deque(read_groups(path), maxlen=0)
    except Exception:  # Pillow raises anything for damaged pictures
        return False
    return True


def _outdated(contents: Contents, told: set[str]) -> Iterator[Fault]:
    """Manifests that are whole but say something else than the ledger: the build that would change them never ended."""
    layout = contents.layout
    if not has_ledger(layout):
        return
    schemas = {layout.faces: face_schema(contents.origin.measures), layout.pictures: picture_schema()}
    names = {path: layout.name_of(path) for path in schemas}
    whole = [path for path, name in names.items() if not any(f"{one}/".startswith(f"{name}/") for one in told)]
    held = {path: RowStream(_rows_in(layout, path, schemas[path]), schemas[path]) for path in whole}
    same = dict.fromkeys(whole, True)
    for block in contents.blocks():
        for path, rows in zip(schemas, block, strict=True):
            if path in same:
                same[path] &= held[path].take(len(rows)).equals(rows)
    for path in whole:
        if not (same[path] and held[path].ended()):
            yield Fault(FaultCode.OUTDATED, names[path])


def _rows_in(layout: Layout, manifest: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    for path in layout.files_of(manifest):
        for rows in read_groups(path):
            yield with_later_columns(rows, schema)


def _foreign(layout: Layout) -> Iterator[str]:
    """Files in the folders of the ledger whose names no build writes."""
    for folder in (layout.parts, layout.thumbs, layout.sums):
        own = {path.name for number in layout.numbers(folder) for path in _of_number(layout, number)}
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if path.name not in own and path != layout.published_sums:
                yield layout.name_of(path)


def _of_number(layout: Layout, number: int) -> tuple[Path, ...]:
    return layout.part(number), layout.thumbs_of(number), layout.sums_of(number)

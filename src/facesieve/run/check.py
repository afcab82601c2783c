"""Whether a dataset is whole: every row has its files, every file its row, and every byte is as it was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image

from facesieve.dataset.about import outputs_of, read_about
from facesieve.dataset.distinct import keys_of
from facesieve.dataset.layout import Layout, size_of
from facesieve.dataset.merge import merge
from facesieve.dataset.named import ends_well, named_files
from facesieve.dataset.schema import picture_schema, with_later_columns
from facesieve.dataset.sums import Sum, Sums, pairs_of, read_sums, sum_of_file, sums_of
from facesieve.dataset.tables import read_table
from facesieve.errors import DatasetError
from facesieve.run.claim import being_written
from facesieve.run.mend import UNDONE, missing_sums
from facesieve.run.publish import orphans, published_files


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
    checksum was never written. undone: pictures that the next build does again. foreign: names of files in the
    build's own folders that are not its own; they are left alone.
    """

    faults: tuple[Fault, ...]
    files: int
    without_sum: int
    undone: int
    foreign: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """As values that JSON holds."""
        return {
            "faults": [{"code": str(fault.code), "file": fault.name} for fault in self.faults],
            "files": self.files,
            "without_checksum": self.without_sum,
            "undone": self.undone,
            "foreign": list(self.foreign),
        }


@dataclass(frozen=True, slots=True)
class Contents:
    """What could be read of a dataset.

    parts: the rows of the ledger's parts by number. faces, pictures: what the manifests should say.
    named: the picture files of their rows. sums: of all files that have one.
    """

    about: dict[str, Any]
    parts: Mapping[int, pa.Table]
    faces: pa.Table
    pictures: pa.Table
    named: frozenset[str]
    sums: Sums


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
    files = [*sorted(contents.named), *_own_files(layout, has_ledger(layout))]
    faults += _missing_sums(layout)
    faults += _files(layout, files, contents.sums, known=faults)
    faults += _manifests(layout, contents, known=faults)
    if len(contents.parts) == len(layout.numbers(layout.parts)):  # else it is not known what their rows name
        written = (name for name, _ in layout.written())
        faults += [Fault(FaultCode.NO_ROW, name) for name in sorted(written) if name not in contents.named]
        told = {fault.name for fault in faults}
        faults += [Fault(FaultCode.NO_ROW, name) for name in _orphans(layout) if name not in told]
    return Report(
        tuple(dict.fromkeys(faults)),
        len(files),
        sum(name not in contents.sums for name in files),
        _undone(contents),
        tuple(_foreign(layout)),
    )


def read_contents(layout: Layout, faults: list[Fault]) -> Contents:
    """Read what can be read; what cannot becomes a fault. Raises DatasetError when nothing says what the rows are."""
    sums = sums_of(_read_sums(layout, faults))
    about = _about(layout, sums, faults)
    parts = dict(_parts(layout, sums, about["measures"], faults))
    if has_ledger(layout):
        faces, pictures = merge(list(parts.values()), about["measures"])
    else:
        faces, pictures = (_manifest(path, layout, sums) for path in (layout.faces, layout.pictures))
    named = frozenset(named_files(faces, pictures, outputs_of(about)))
    return Contents(about, parts, faces, pictures, named, sums)


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


def _orphans(layout: Layout) -> list[str]:
    """What shards that have no part left behind, but not what was left when the part of a finished one was lost."""
    if not has_ledger(layout):
        return []
    parts = (layout.name_of(layout.parts) + "/" + Path(name).with_suffix(".parquet").name for name in orphans(layout))
    published = _published_sums(layout)
    return [name for name, part in zip(orphans(layout), parts, strict=True) if part not in published]


def _undone(contents: Contents) -> int:
    """How many sources have a last row that is marked as to be done again."""
    last: dict[bytes, str] = {}
    for rows in contents.parts.values():
        last |= dict(zip(keys_of(rows).to_pylist(), rows["fingerprint"].to_pylist(), strict=True))
    return list(last.values()).count(UNDONE)


def _read_sums(layout: Layout, faults: list[Fault]) -> Iterator[tuple[str, Sum]]:
    """The sums of every shard and of the published files."""
    for path in [layout.published_sums, *(layout.sums_of(number) for number in layout.numbers(layout.sums))]:
        try:
            yield from pairs_of(read_sums(path))
        except DatasetError:
            faults.append(Fault(FaultCode.DAMAGED, layout.name_of(path)))


def _about(layout: Layout, sums: Sums, faults: list[Fault]) -> dict[str, Any]:
    """What made the dataset, from either of the two files that say it."""
    found: list[dict[str, Any]] = []
    errors: list[DatasetError] = []
    for path in [layout.about, *([layout.made] if has_ledger(layout) else [])]:
        try:
            found.append(read_about(path, sums.get(layout.name_of(path), frozenset())))
        except DatasetError as error:
            errors.append(error)
            missing = error.code == "not_a_dataset"
            faults.append(Fault(FaultCode.MISSING if missing else FaultCode.DAMAGED, layout.name_of(path)))
    if not found:
        raise errors[0]
    return found[0]


def _parts(layout: Layout, sums: Sums, measures: Sequence[str], faults: list[Fault]) -> Iterator[tuple[int, pa.Table]]:
    damaged_sums = {fault.name for fault in faults}
    for number in layout.numbers(layout.parts):
        path = layout.part(number)
        known = sums.get(layout.name_of(path), frozenset())
        if layout.name_of(layout.sums_of(number)) in damaged_sums:
            known = frozenset()
        try:
            rows = read_table(path, known=known)
            if not known:
                merge([rows], measures)  # has it the columns of a part?
            yield number, rows
        except DatasetError as error:
            if error.code == "out_of_memory":
                raise
            faults.append(Fault(FaultCode.DAMAGED, layout.name_of(path)))


def _manifest(path: Path, layout: Layout, sums: Sums) -> pa.Table:
    return read_table(path, known=sums.get(layout.name_of(path), frozenset()))


def _own_files(layout: Layout, ledger: bool) -> list[str]:
    """Files besides pictures that must be there: small pictures, published files, and parts when last published."""
    thumbs = (layout.thumbs_of(number) for number in layout.numbers(layout.parts if ledger else layout.thumbs))
    once = {name for name in _published_sums(layout) if name.startswith(layout.name_of(layout.parts))}
    names = {*map(layout.name_of, thumbs), *published_files(layout), *once}
    return sorted(names if ledger else names - {layout.name_of(layout.made)})


def _published_sums(layout: Layout) -> Sums:
    try:
        return read_sums(layout.published_sums)
    except DatasetError:  # told already
        return {}


def _files(layout: Layout, names: list[str], sums: Sums, known: list[Fault]) -> list[Fault]:
    told = {fault.name for fault in known}
    found = []
    for name in names:
        if name in told:
            continue
        path = layout.root / name
        size = size_of(path)
        if size is None:
            found.append(Fault(FaultCode.MISSING, name))
        elif not (sum_of_file(path) in sums[name] if name in sums else size and _readable(path)):
            found.append(Fault(FaultCode.DAMAGED, name))
    return found


def _readable(path: Path) -> bool:
    """Whether a file without a sum is what its name says, as far as its format can tell."""
    try:
        if path.suffix in (".png", ".jpg"):
            with Image.open(path) as picture:
                picture.load()
            return ends_well(path)
        if path.suffix == ".parquet":
            read_table(path)
    except Exception:  # Pillow raises anything for damaged pictures
        return False
    return True


def _manifests(layout: Layout, contents: Contents, known: list[Fault]) -> list[Fault]:
    """Manifests that are whole but say something else than the ledger: the build that would change them never ended."""
    told = {fault.name for fault in known}
    found = []
    for path, table in ((layout.faces, contents.faces), (layout.pictures, contents.pictures)):
        name = layout.name_of(path)
        if name in told or not size_of(path):
            continue
        held = read_table(path)
        if path == layout.pictures:
            held = with_later_columns(held, picture_schema())
        if not held.equals(table):
            found.append(Fault(FaultCode.OUTDATED, name))
    return found


def _foreign(layout: Layout) -> Iterator[str]:
    """Files in the folders of the ledger whose names no build writes."""
    for folder in (layout.parts, layout.thumbs, layout.sums):
        own = {path.name for number in layout.numbers(folder) for path in _of_number(layout, number)}
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if path.name not in own and path != layout.published_sums:
                yield layout.name_of(path)


def _of_number(layout: Layout, number: int) -> tuple[Path, ...]:
    return layout.part(number), layout.thumbs_of(number), layout.sums_of(number)

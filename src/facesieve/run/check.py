"""Checks that a dataset is whole: every row has its files, every file its row, and every byte is as it was written."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from PIL import Image

from facesieve.dataset.decision_file import read_decisions
from facesieve.dataset.disk.checksums import Checksums, checksum_of_file, read_checksums
from facesieve.dataset.disk.intact import has_end_marker
from facesieve.dataset.disk.layout import Layout, file_size
from facesieve.dataset.disk.parquet import read_groups
from facesieve.dataset.disk.tar import is_intact
from facesieve.dataset.tables.hashes import Hashes, HashSet, hashes_of
from facesieve.dataset.tables.resolve import resolve
from facesieve.errors import DatasetError
from facesieve.run.claim import is_locked
from facesieve.run.contents import Contents, has_ledger, read_contents
from facesieve.run.crops_in_tars import check_tars
from facesieve.run.faults import CheckResult, Fault, FaultCode, fault_of
from facesieve.run.lost import read_lost
from facesieve.run.mark_damage import missing_sums
from facesieve.run.outdated import outdated_manifests
from facesieve.run.publish import manifests_of, optional_files, orphaned_files, published_files, unnamed_files
from facesieve.run.undone import UNDONE


def check_dataset(root: Path) -> CheckResult:
    """Check every file of a dataset; nothing is changed.

    Raises DatasetError when the folder is not a dataset, is unfinished, or is too damaged to be checked. Raises it with
    the code `in_use` when faults were found while a build was writing.
    """
    layout = Layout(root)
    busy = is_locked(layout)
    try:
        result = _check(layout)
    except DatasetError:
        if not busy and not is_locked(layout):
            raise
    else:
        if not result.faults or not (busy or is_locked(layout)):
            return result
    raise DatasetError("in_use", f"A build is writing to {root}. Check it again when the build has ended.")


def _check(layout: Layout) -> CheckResult:
    if layout.made.exists() and not layout.about.exists() and not layout.faces.exists():
        raise DatasetError("unfinished", f"{layout.root} is unfinished; run the same build again to finish it.")
    faults: list[Fault] = []
    contents = read_contents(layout, faults)
    unreadable = {fault.name for fault in faults}
    faults += [fault for fault in _missing_sums(layout) if fault.name not in unreadable]
    faults += _damaged_decisions(layout)
    files, named = _FileCheck(layout, {fault.name for fault in faults}), list[Hashes]()
    for names, sums in contents.names():
        named.append(hashes_of(list(names)))
        files.check(names, sums)
    if contents.outputs.in_tars and has_ledger(layout):
        tars = check_tars(contents)
        files.faults += tars.faults
        files.count += tars.files
        named.append(hashes_of(list(tars.listed)))
    files.faults.sort(key=lambda fault: fault.name)
    files.check(_own_files(contents), contents.own_sums())
    if layout.report.exists():
        files.check([layout.name_of(layout.report)], read_checksums(layout.report_sums))
    faults += files.faults
    faults += [Fault(FaultCode.OUTDATED, name) for name in outdated_manifests(contents, {one.name for one in faults})]
    if len(contents.parts) == len(layout.numbers(layout.parts)):  # otherwise rows are unknown that may name these files
        faults += [Fault(FaultCode.NO_ROW, name) for name in sorted(unnamed_files(layout, HashSet(named)))]
        known = {fault.name for fault in faults}
        faults += [Fault(FaultCode.NO_ROW, name) for name in _leftovers(contents) if name not in known]
    lost = read_lost(layout)
    return CheckResult(
        faults=tuple(dict.fromkeys(faults)),
        files=files.count,
        without_sum=files.without_sum,
        undone=_undone(contents) + len(lost.pictures),
        foreign=(*sorted(layout.foreign_files()), *_foreign(layout)),
        lost=lost,
        continuable=has_ledger(layout),
    )


def _missing_sums(layout: Layout) -> list[Fault]:
    """Checksum files that are missing. A dataset without any was written by version 0.1.0."""
    gone = [layout.name_of(layout.published_sums)] if layout.numbers(layout.sums) and layout.about.exists() else []
    if layout.published_sums.exists():
        try:
            gone = missing_sums(layout)
        except DatasetError:  # it is damaged, which is a fault already
            gone = []
    return [Fault(FaultCode.MISSING, name) for name in gone]


def _damaged_decisions(layout: Layout) -> list[Fault]:
    try:
        read_decisions(layout)
    except DatasetError as error:
        return [fault_of(error, layout.name_of(layout.decisions))]
    return []


def _leftovers(contents: Contents) -> list[str]:
    """Files of shards that were never finished. Files of a finished shard whose part was lost are not among them."""
    layout = contents.layout
    if not has_ledger(layout):
        return []
    left = orphaned_files(layout)
    parts = (layout.name_of(layout.parts) + "/" + Path(name).with_suffix(".parquet").name for name in left)
    return [name for name, part in zip(left, parts, strict=True) if part not in contents.published]


def _undone(contents: Contents) -> int:
    """How many sources the next build will do again, because their last row is marked so."""
    undone = 0
    with resolve(contents.tables, None) as found:
        for part in found.resolved(contents.tables(["fingerprint"])):
            marked = pc.equal(part.rows["fingerprint"], UNDONE)
            undone += int(np.count_nonzero(np.asarray(pc.fill_null(marked, False)) & part.counts))
    return undone


def _own_files(contents: Contents) -> list[str]:
    """Files that are not pictures and must exist: thumbnails, and the files that were last published."""
    layout, ledger = contents.layout, has_ledger(contents.layout)
    thumbs = (layout.thumbs_of(number) for number in layout.numbers(layout.parts if ledger else layout.thumbs))
    manifests = tuple(f"{layout.name_of(path)}/" for path in (layout.parts, *manifests_of(layout, contents.origin)))
    once = {name for name in contents.published if name.startswith(manifests)}
    optional = {name for name in map(layout.name_of, optional_files(layout)) if name in contents.published}
    names = {*map(layout.name_of, thumbs), *published_files(layout, contents.origin), *once, *optional}
    if not ledger:
        names.discard(layout.name_of(layout.made))
    for manifest in manifests_of(layout, contents.origin):  # if the folder is gone, its files are the faults
        if any(name.startswith(f"{layout.name_of(manifest)}/") for name in once) and not manifest.exists():
            names.discard(layout.name_of(manifest))
    return sorted(names)


class _FileCheck:
    """Compares files on disk with their checksums. faulty: names of files whose fault is known already."""

    def __init__(self, layout: Layout, faulty: set[str]) -> None:
        self._layout, self._faulty = layout, faulty
        self.faults: list[Fault] = []
        self.count = self.without_sum = 0

    def check(self, names: Iterable[str], sums: Checksums) -> None:
        """Check these files. sums: the checksums that each file may have; a file without one is only opened.

        The name of a tar file of crops is its checksum.
        """
        for name in names:
            self.count += 1
            self.without_sum += name not in sums and not name.endswith(".tar")
            if name not in self._faulty:
                self._compare(name, sums)

    def _compare(self, name: str, sums: Checksums) -> None:
        path = self._layout.root / name
        try:
            size = file_size(path)
            if size is None:
                self.faults.append(Fault(FaultCode.MISSING, name))
            elif not (checksum_of_file(path) in sums[name] if name in sums else size and _readable(path)):
                self.faults.append(Fault(FaultCode.DAMAGED, name))
        except DatasetError as error:
            self.faults.append(fault_of(error, name))


def _readable(path: Path) -> bool:
    """Whether a file without a checksum can be read as the format that its name says."""
    try:
        if path.suffix == ".tar":
            return is_intact(path)
        if path.suffix in (".png", ".jpg"):
            with Image.open(path) as picture:
                picture.load()
            return has_end_marker(path)
        if path.suffix == ".parquet":
            deque(read_groups(path), maxlen=0)
    except Exception:  # Pillow raises almost anything for a damaged picture
        return False
    return True


def _foreign(layout: Layout) -> Iterator[str]:
    """Names of files in the folders of the ledger that no build writes."""
    for path in sorted(layout.hidden.iterdir()) if layout.hidden.is_dir() else []:
        if path not in layout.own_hidden:
            yield layout.name_of(path)
    for folder in (layout.parts, layout.thumbs, layout.sums, layout.unpacked):
        own = {path.name for number in layout.numbers(folder) for path in _of_number(layout, number)}
        for path in sorted(folder.iterdir()) if folder.is_dir() else []:
            if path.name not in own and path not in (layout.published_sums, layout.report_sums):
                yield layout.name_of(path)


def _of_number(layout: Layout, number: int) -> tuple[Path, ...]:
    return layout.part(number), layout.thumbs_of(number), layout.sums_of(number), layout.unpacked_of(number)

"""Repairs what a check found, as far as that is possible without the pictures. The next build does the rest."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from facesieve.dataset.about import write_made
from facesieve.dataset.commit import settle, writing
from facesieve.dataset.hashes import HashSet, hashes_of
from facesieve.dataset.layout import Layout
from facesieve.dataset.named import files_of_rows
from facesieve.dataset.schema import THUMB_SCHEMA
from facesieve.dataset.sums import pairs_of, read_sums, sum_of_file, sums_of, write_sums
from facesieve.dataset.survey import survey
from facesieve.run.check import check_dataset
from facesieve.run.claim import lock_dataset
from facesieve.run.contents import Contents, has_ledger, read_contents
from facesieve.run.damage import mark_undone
from facesieve.run.faults import CheckResult, FaultCode
from facesieve.run.ledger import Ledger
from facesieve.run.lost import record_lost
from facesieve.run.publish import publish_ledger, published_files
from facesieve.settings import Settings


def repair_dataset(root: Path, settings: Settings) -> CheckResult:
    """Repair what a check finds, and return the result of a second check.

    Damaged parts of the ledger are removed. Their pictures are new to the next build; until then, every check says how
    many they are. Damaged crops are removed. Their rows stay without a file until the next build writes it again.
    Damaged thumbnails become blank. Manifests and the contact sheet are written again from the ledger, and files
    without a checksum get one. A dataset without a ledger only gets checksums.
    Raises DatasetError as `check_dataset` does, and when the disk refuses.
    """
    layout = Layout(root)
    found = check_dataset(root)
    with lock_dataset(layout):
        contents = read_contents(layout, [])
        if has_ledger(layout):
            _repair_ledger(layout, contents, found, settings)
        else:
            _add_sums(layout, contents, _bad(found))
    return check_dataset(root)


def _add_sums(layout: Layout, contents: Contents, bad: set[str]) -> None:
    """Add checksums for the files of a dataset without a ledger."""
    for number, (names, sums) in enumerate(contents.names()):
        _complete_sums(layout, layout.sums_of(number), [name for name in names if not (name in bad or name in sums)])
    thumbs = [layout.name_of(layout.thumbs_of(number)) for number in layout.numbers(layout.thumbs)]
    known = {*bad, *contents.own_sums()}
    _complete_sums(layout, layout.sums_of(0), [name for name in thumbs if name not in known])
    names = [name for name in published_files(layout) if name not in bad and name != layout.name_of(layout.made)]
    _complete_sums(layout, layout.published_sums, names)


def _repair_ledger(layout: Layout, contents: Contents, found: CheckResult, settings: Settings) -> None:
    ledger = Ledger(layout)
    bad = _bad(found)
    named = HashSet([hashes_of(list(names)) for names, _ in contents.names()])
    if found.gone_parts:
        record_lost(layout, found.gone_parts, contents.sources())
    if layout.name_of(layout.made) in bad:
        write_made(contents.origin, layout)
    for number in layout.numbers(layout.sums):
        if layout.name_of(layout.sums_of(number)) in bad or number not in contents.parts:
            _remove(layout.sums_of(number), layout)
    for number in layout.numbers(layout.parts):
        if number in contents.parts:
            _repair_part(ledger, number, contents, named, bad)
        else:
            ledger.remove(number)
    for number in set(layout.numbers(layout.thumbs)) - set(contents.parts):
        _remove(layout.thumbs_of(number), layout)
    with survey(ledger.tables, layout.scratch) as surveyed:
        publish_ledger(ledger, surveyed, contents.origin, settings)


def _repair_part(ledger: Ledger, number: int, contents: Contents, named: HashSet, bad: set[str]) -> None:
    layout, rows, outputs = ledger.layout, contents.table(number), contents.outputs
    files = list(files_of_rows(rows, outputs))
    lost = {row for row, name in files if name in bad}
    if layout.name_of(layout.thumbs_of(number)) in bad:
        ledger.rewrite(number, mark_undone(_without_files(rows, bad), range(len(rows))), THUMB_SCHEMA.empty_table())
    elif lost:
        ledger.rewrite(number, mark_undone(_without_files(rows, bad), lost))
    names = [name for _, name in files]
    pictures = {name for name, one in zip(names, named.has(hashes_of(names)), strict=True) if one} - bad
    own = (layout.name_of(path) for path in (layout.part(number), layout.thumbs_of(number)))
    _complete_sums(layout, layout.sums_of(number), [*pictures, *own])


def _without_files(rows: pa.Table, bad: set[str]) -> pa.Table:
    """The rows, with no crop for faces whose crop is damaged or missing."""
    changed = rows.to_pylist()
    for row in changed:
        for face in row["faces"]:
            face["file_name"] = None if face["file_name"] in bad else face["file_name"]
    return pa.Table.from_pylist(changed, schema=rows.schema)


def _complete_sums(layout: Layout, path: Path, names: Iterable[str]) -> None:
    """Add the checksums of these files, as they are on disk, to a checksum file that does not have them yet."""
    known = read_sums(path)
    added = [(name, sum_of_file(layout.root / name)) for name in names if name not in known]
    if added:
        write_sums(sums_of([*pairs_of(known), *added]), path, layout.scratch)
        settle([path], layout.root)


def _bad(found: CheckResult) -> set[str]:
    return {fault.name for fault in found.faults if fault.code in (FaultCode.DAMAGED, FaultCode.MISSING)}


def _remove(path: Path, layout: Layout) -> None:
    with writing(path):
        path.unlink(missing_ok=True)
    settle([path], layout.root)

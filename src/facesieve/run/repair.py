"""Repairs what a check found, as far as that is possible without the source pictures. The next build does the rest."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from facesieve.dataset.about import write_made
from facesieve.dataset.disk.atomic import sync_folders, wrap_write_errors
from facesieve.dataset.disk.checksums import checksum_of_file, checksum_pairs, checksums_by_name, read_checksums
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.names import shortened_list
from facesieve.dataset.disk.replace import remove_published_file, write_checksums_durably
from facesieve.dataset.tables.hashes import HashSet, hashes_of
from facesieve.dataset.tables.named_files import crops_of_rows, files_of_rows
from facesieve.dataset.tables.schema import THUMB_SCHEMA
from facesieve.errors import DatasetError
from facesieve.run.check import check_dataset
from facesieve.run.claim import lock_dataset
from facesieve.run.contents import Contents, has_ledger, read_contents
from facesieve.run.crops_in_tars import check_tars
from facesieve.run.drop_forgotten import resolved_without_forgotten
from facesieve.run.faults import CheckResult, FaultCode
from facesieve.run.forgotten import ForgottenHashes
from facesieve.run.ledger import Ledger
from facesieve.run.lost import record_lost
from facesieve.run.mark_damage import without_crops
from facesieve.run.publish import optional_files, publish_ledger, published_files
from facesieve.run.undone import mark_undone
from facesieve.settings import Settings


def repair_dataset(root: Path, settings: Settings) -> CheckResult:
    """Repair a dataset, check it again, and return the result of the second check.

    - A damaged ledger part is removed. The next build does its pictures again; until then each check counts them.
    - A damaged crop is removed. Its row stays, without a file name, until the next build writes the crop again.
    - Damaged thumbnails are left out of the contact sheet.
    - The manifests and the contact sheet are written again from the ledger.
    - Files without checksums get them. A dataset without a ledger gets only this.
    - An empty folder in place of a file is removed.
    - A damaged `people.parquet` or table of lists is removed.

    Raises DatasetError like `check_dataset`, if this user may not read a file, if a folder in place of a file is not
    empty, and if a file cannot be written.
    """
    layout = Layout(root)
    found = check_dataset(root)
    if found.unreadable:  # the files are whole, so nothing may be removed
        raise DatasetError(
            "cannot_read",
            f"This user has no permission to read {shortened_list(found.unreadable)} in {root}. "
            "Change the permissions or the owner of these files and repair again.",
        )
    with lock_dataset(layout):
        ForgottenHashes(layout)  # if they are damaged, nothing may be published again
        _remove_folders(layout, _damaged_names(found))
        for path in optional_files(layout):
            if layout.name_of(path) in _damaged_names(found):
                remove_published_file(path, layout)
        contents = read_contents(layout, [])
        if has_ledger(layout):
            _repair_ledger(layout, contents, found, settings)
        else:
            _add_checksums(layout, contents, _damaged_names(found))
    return check_dataset(root)


def _add_checksums(layout: Layout, contents: Contents, bad: set[str]) -> None:
    """Write the missing checksums of a dataset without a ledger."""
    for number, (names, sums) in enumerate(contents.names()):
        _complete_checksums(
            layout, layout.sums_of(number), [name for name in names if not (name in bad or name in sums)]
        )
    thumbs = [layout.name_of(layout.thumbs_of(number)) for number in layout.numbers(layout.thumbs)]
    known = {*bad, *contents.own_sums()}
    _complete_checksums(layout, layout.sums_of(0), [name for name in thumbs if name not in known])
    names = [
        name
        for name in published_files(layout, contents.origin)
        if name not in bad and name != layout.name_of(layout.made)
    ]
    _complete_checksums(layout, layout.published_sums, names)


def _repair_ledger(layout: Layout, contents: Contents, found: CheckResult, settings: Settings) -> None:
    ledger = Ledger(layout)
    bad, suspicious = _damaged_names(found), frozenset[str]()
    if contents.outputs.in_tars:
        tars = check_tars(contents)
        bad, suspicious = bad | tars.lost, tars.damaged
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
    with resolved_without_forgotten(ledger, contents.outputs) as resolution:
        publish_ledger(ledger, resolution, contents.origin, settings, suspicious)


def _repair_part(ledger: Ledger, number: int, contents: Contents, named: HashSet, bad: set[str]) -> None:
    layout, rows, outputs = ledger.layout, contents.table(number), contents.outputs
    files = list(files_of_rows(rows, outputs))
    crops = crops_of_rows(rows) if outputs.in_tars else ()
    lost = {row for row, name in (*files, *crops) if name in bad}
    if layout.name_of(layout.thumbs_of(number)) in bad:
        ledger.rewrite(number, mark_undone(without_crops(rows, bad), range(len(rows))), THUMB_SCHEMA.empty_table())
    elif lost:
        ledger.rewrite(number, mark_undone(without_crops(rows, bad), lost))
    names = [name for _, name in files]
    pictures = {name for name, one in zip(names, named.has(hashes_of(names)), strict=True) if one} - bad
    own = (layout.name_of(path) for path in (layout.part(number), layout.thumbs_of(number)))
    _complete_checksums(layout, layout.sums_of(number), [*pictures, *own])


def _complete_checksums(layout: Layout, path: Path, names: Iterable[str]) -> None:
    """Add the checksums of these files to a checksum file, for the files that it does not list yet."""
    known = read_checksums(path)
    added = [(name, checksum_of_file(layout.root / name)) for name in names if name not in known]
    if added:
        write_checksums_durably(checksums_by_name([*checksum_pairs(known), *added]), path, layout)


def _damaged_names(found: CheckResult) -> set[str]:
    return {fault.name for fault in found.faults if fault.code in (FaultCode.DAMAGED, FaultCode.MISSING)}


def _remove_folders(layout: Layout, names: Iterable[str]) -> None:
    """Remove the folders in place of these files. Those with files in them stay, because no build wrote these."""
    for path in (layout.root / name for name in sorted(names)):
        if path.is_dir() and not path.is_symlink():
            with wrap_write_errors(path):
                if any(path.iterdir()):
                    raise DatasetError(
                        "cannot_write",
                        f"{path} is a folder with files in it, where a file of the dataset should be. "
                        "Move the folder away and repair again.",
                    )
                path.rmdir()


def _remove(path: Path, layout: Layout) -> None:
    with wrap_write_errors(path):
        path.unlink(missing_ok=True)
    sync_folders([path], layout.root)

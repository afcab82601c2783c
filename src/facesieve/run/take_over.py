"""Takes the parts of several ledgers, with all files that their rows name, over into the ledger of another dataset.

Whatever can be shared is a hard link. What an interrupted call wrote is compared and not written again, so the order of
the writes does not matter, and folders are synced once, at the end.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from itertools import tee
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.disk.atomic import sync_folders, wrap_read_errors
from facesieve.dataset.disk.checksums import Checksum, Checksums, checksum_of_file, read_checksums, write_checksums
from facesieve.dataset.disk.intact import broken_files
from facesieve.dataset.disk.layout import HIDDEN, Layout
from facesieve.dataset.disk.link import link_file
from facesieve.dataset.disk.names import shortened_list
from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.tables.named_files import NAMING_COLUMNS, files_of_part, files_of_rows
from facesieve.dataset.tables.resolve import Resolution
from facesieve.errors import DatasetError
from facesieve.run.crops_in_tars import tars_on_disk
from facesieve.run.joint_ledgers import JointLedgers
from facesieve.run.ledger import Ledger
from facesieve.run.mark_damage import thumbs_whole


def take_over(
    joined: JointLedgers, found: Resolution, into: Ledger, outputs: Outputs, watch: Callable[[int], None]
) -> None:
    """Take all parts over, and remove those that an interrupted call with other ledgers left. All is durable then.

    found: the conflicts between the rows of all ledgers; of duplicates, only the files of the first are taken.
    watch: called with the number of rows so far.
    Raises DatasetError if a file is missing or damaged, or cannot be written.
    """
    taken, first = set[int](), 0
    tables, again = tee(joined.tables(NAMING_COLUMNS))
    parts = zip(joined.parts, tables, found.resolved(again), strict=True)
    for new, ((ledger, number), rows, part) in enumerate(parts):
        length = ledger.length(number)
        start, first = first, first + length
        watch(start)
        if not len(rows):
            continue
        names, sums = files_of_part(part, outputs), ledger.sums(number)
        _check_whole(ledger, number, names, sums)
        take_picture_files(names, ledger.layout, into.layout, sums)
        if len(rows) == length:
            _link_part(ledger, number, sums, into, new)
        else:
            _write_part(ledger, number, joined.counted(ledger.table(number), start), sums, into, new, outputs)
        taken.add(new)
    for number in set(into.numbers()) - taken:
        into.remove(number)
    for ledger in joined.ledgers if outputs.in_tars else ():
        take_picture_files(tars_on_disk(ledger.layout), ledger.layout, into.layout, {})
    _sync_tree(into.layout.root)


def take_picture_files(names: Iterable[str], old: Layout, new: Layout, sums: Checksums) -> None:
    """Take picture files over under the same names. Their folders are not synced.

    sums: the checksums of the files; a copy is compared with them. Tar files have none, because publishing compares
    every crop that it takes out of them.
    """
    for name in names:
        link_file(old.root / name, new.root / name, new.scratch, sums.get(name, frozenset()))


def _check_whole(ledger: Ledger, number: int, names: Iterable[str], sums: Checksums) -> None:
    layout = ledger.layout
    lost = sorted(broken_files(names, sums, layout.root))
    if not thumbs_whole(ledger, number):
        lost.append(layout.name_of(layout.thumbs_of(number)))
    if lost:
        raise DatasetError(
            "missing_files",
            f"Missing or damaged in {layout.root}: {shortened_list(lost)}. Build this part again, or run "
            f"`facesieve check {layout.root} --repair`.",
        )


def _link_part(ledger: Ledger, number: int, sums: Checksums, into: Ledger, new: int) -> None:
    """Take a whole part over as it is, with its thumbnails. The checksums are written anew, because they name files."""
    old = ledger.layout
    files = {
        old.thumbs_of(number): into.layout.thumbs_of(new),
        old.part(number): into.layout.part(new),
    }
    known = {path: sums.get(old.name_of(path)) or frozenset([checksum_of_file(path)]) for path in files}
    listed = {name: one for name, one in sums.items() if not name.startswith(HIDDEN)}
    listed |= {into.layout.name_of(path): known[was] for was, path in files.items()}
    if not _has_checksums(into, new, listed):
        write_checksums(listed, into.layout.sums_of(new), into.layout.scratch)
    for was, path in files.items():
        link_file(was, path, into.layout.scratch, known[was])


def _has_checksums(ledger: Ledger, number: int, listed: Mapping[str, frozenset[Checksum]]) -> bool:
    try:
        return read_checksums(ledger.layout.sums_of(number)) == listed
    except DatasetError:  # an interrupted call left them damaged
        return False


def _write_part(
    ledger: Ledger, number: int, rows: pa.Table, sums: Checksums, into: Ledger, new: int, outputs: Outputs
) -> None:
    """Write some of the rows of a part as a new part, with their thumbnails and checksums."""
    ids = pc.struct_field(rows["faces"].combine_chunks().flatten(), "face_id")
    thumbs = ledger.thumbs(number)
    files = {name: sums[name] for _, name in files_of_rows(rows, outputs) if name in sums}
    into.commit(new, rows, thumbs.filter(pc.is_in(thumbs["face_id"], ids)), files, ledger.written(number))


def _sync_tree(root: Path) -> None:
    """Make the names of all files in a folder durable."""
    with wrap_read_errors(root):
        for folder, _, _ in os.walk(root):
            sync_folders([Path(folder) / "file"], Path(folder))

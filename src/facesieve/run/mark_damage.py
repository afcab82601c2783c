"""Damage that a build notices by names and sizes alone. It marks the rows, so that their pictures are done again."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.disk.checksums import read_checksums
from facesieve.dataset.disk.intact import broken_files
from facesieve.dataset.disk.layout import Layout, file_size
from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.disk.picture_names import member_name
from facesieve.dataset.tables.named_files import NAMING_COLUMNS, crops_of_rows, files_of_part, files_of_rows
from facesieve.dataset.tables.resolve import Resolution, resolve
from facesieve.dataset.tables.schema import THUMB_SCHEMA
from facesieve.run.crops_in_tars import lost_crops
from facesieve.run.ledger import Ledger
from facesieve.run.undone import mark_undone


def mark_damage(layout: Layout, outputs: Outputs) -> list[str]:
    """Mark the rows whose crops, thumbnails or other picture files are missing, empty or of the wrong size.

    All rows of a shard whose checksums are missing are marked too.
    Returns the names of these files. Raises DatasetError when a part of the ledger is damaged.
    """
    ledger = Ledger(layout)
    broken, without_sums = _broken_picture_files(ledger, outputs), set(missing_sums(layout))
    lost = lost_crops(ledger) if outputs.in_tars else set[str]()
    for number in ledger.numbers() if lost else ():
        rows = ledger.table(number)
        if undone := {row for row, name in crops_of_rows(rows) if name in lost}:
            ledger.rewrite(number, mark_undone(without_crops(rows, lost), undone))
    broken |= lost
    names = [*sorted(broken), *vanished_parts(layout), *sorted(without_sums)]
    for number in ledger.numbers():
        whole, unverified = thumbs_whole(ledger, number), layout.name_of(layout.sums_of(number)) in without_sums
        if whole and not broken and not unverified:
            continue
        rows = ledger.table(number)
        undone = {row for row, name in files_of_rows(rows, outputs) if name in broken}
        if not whole:
            names.append(layout.name_of(layout.thumbs_of(number)))
            ledger.rewrite(number, mark_undone(rows, range(len(rows))), THUMB_SCHEMA.empty_table())
        elif unverified:  # its old files cannot be verified any more
            ledger.rewrite(number, mark_undone(rows, range(len(rows))))
        elif undone:
            ledger.rewrite(number, mark_undone(rows, undone))
    return names


def _broken_picture_files(ledger: Ledger, outputs: Outputs) -> set[str]:
    """Like `broken_picture_files`, but faster if no file is broken: then it need not find the rows that count."""
    rows = zip(ledger.numbers(), ledger.tables(NAMING_COLUMNS), strict=True)
    named = ((number, [name for _, name in files_of_rows(part, outputs)]) for number, part in rows)
    if not any(broken_files(names, ledger.sums(number), ledger.layout.root) for number, names in named):
        return set()
    with resolve(ledger.tables, ledger.layout.scratch) as found:
        return set(broken_picture_files(ledger, found, outputs))


def broken_picture_files(ledger: Ledger, found: Resolution, outputs: Outputs) -> Iterator[str]:
    """Yield the picture files in the manifests that are missing, empty or of the wrong size, part by part."""
    layout = ledger.layout
    for number, part in zip(ledger.numbers(), found.resolved(ledger.tables(NAMING_COLUMNS)), strict=True):
        yield from broken_files(files_of_part(part, outputs), ledger.sums(number), layout.root)


def missing_thumbs(layout: Layout) -> list[str]:
    """Names of the thumbnail files that are missing, empty or of the wrong size."""
    ledger = Ledger(layout)
    return [layout.name_of(layout.thumbs_of(number)) for number in ledger.numbers() if not thumbs_whole(ledger, number)]


def vanished_parts(layout: Layout) -> list[str]:
    """Names of parts of the ledger that existed when the dataset was last published, and are missing now."""
    listed = (name for name in read_checksums(layout.published_sums) if name.startswith(layout.name_of(layout.parts)))
    return sorted(name for name in listed if file_size(layout.root / name) is None)


def missing_sums(layout: Layout) -> list[str]:
    """Names of checksum files that existed when the dataset was last published, and are missing now."""
    parts, folder = set(layout.numbers(layout.parts)), f"{layout.name_of(layout.sums)}/"
    listed = (name for name in read_checksums(layout.published_sums) if name.startswith(folder))
    numbers = {name: int(name.removeprefix(folder).partition(".")[0]) for name in listed}
    # The checksums of a removed part are removed too. A dataset of `facesieve sieve` has checksums, but no parts.
    wanted = (name for name, number in numbers.items() if number in parts or not layout.made.exists())
    return sorted(name for name in wanted if file_size(layout.root / name) is None)


def thumbs_whole(ledger: Ledger, number: int) -> bool:
    """Whether the thumbnails of a shard exist, with the right size if it is known."""
    path = ledger.layout.thumbs_of(number)
    size = file_size(path)
    known = ledger.sums(number).get(ledger.layout.name_of(path))
    return bool(size) and (not known or any(one.size == size for one in known))


def without_crops(rows: pa.Table, lost: Collection[str]) -> pa.Table:
    """The rows of a part, without the file names of crops that are damaged or missing."""
    changed = rows.to_pylist()
    for row in changed:
        for face in row["faces"]:
            if face["file_name"] in lost:
                face |= {"file_name": None, "crops": []}  # without a column `crops`, the second is ignored
    return pa.Table.from_pylist(changed, schema=rows.schema)


def unwritten_crops(ledger: Ledger, found: Resolution, lost: Collection[str]) -> Iterator[str]:
    """Yield those of some lost crops whose faces are still without a crop."""
    for part in found.resolved(ledger.tables(NAMING_COLUMNS)) if lost else ():
        rows = part.counted_rows
        faces = rows["faces"].combine_chunks()
        structs, owner = faces.flatten(), pc.list_parent_indices(faces)
        labels = rows["label"].take(owner).to_pylist()
        columns = zip(labels, *(structs.field(name).to_pylist() for name in ("face_id", "file_name")), strict=True)
        names = (member_name(label, face_id) for label, face_id, name in columns if name is None)
        yield from (name for name in names if name in lost)

"""Damage that a build notices by names and sizes alone, and marks in the ledger so that it is done again."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import pyarrow as pa

from facesieve.dataset.files import Outputs
from facesieve.dataset.layout import Layout, size_of
from facesieve.dataset.merge import merge
from facesieve.dataset.named import files_of_rows, named_files, not_whole
from facesieve.dataset.schema import THUMB_SCHEMA
from facesieve.dataset.sums import read_sums
from facesieve.run.ledger import Ledger

UNDONE = "undone"  # the fingerprint of a row whose picture the next build does again; no source has it


def mark_damage(layout: Layout, measures: Sequence[str], outputs: Outputs) -> list[str]:
    """Mark the rows whose crops, thumbnails or other picture files are missing, empty or of a wrong size.

    Those of a shard whose sums are gone are marked too.

    Returns the names of these files. Raises DatasetError when a part of the ledger is damaged.
    """
    ledger = Ledger(layout)
    numbers = ledger.numbers()
    tables = ledger.tables()
    lost = set(not_whole_files(layout, named_files(*merge(tables, measures), outputs)))
    found = sorted(lost)
    without_sums = missing_sums(layout)
    found += [*vanished_parts(layout), *without_sums]
    for number, rows in zip(numbers, tables, strict=True):
        undone = {row for row, name in files_of_rows(rows, outputs) if name in lost} if lost else set()
        if not thumbs_whole(ledger, number):
            found.append(layout.name_of(layout.thumbs_of(number)))
            ledger.rewrite(number, marked(rows, range(len(rows))), THUMB_SCHEMA.empty_table())
        elif layout.name_of(layout.sums_of(number)) in without_sums:  # only new files are known to be whole
            ledger.rewrite(number, marked(rows, range(len(rows))))
        elif undone:
            ledger.rewrite(number, marked(rows, undone))
    return found


def not_whole_files(layout: Layout, named: set[str]) -> list[str]:
    """Of these picture files, those that are missing, empty or of a wrong size."""
    return not_whole(named, dict(layout.written()), Ledger(layout).all_sums(), layout.root)


def missing_thumbs(layout: Layout) -> list[str]:
    """Names of the files of small pictures that are missing, empty or of a wrong size."""
    ledger = Ledger(layout)
    return [layout.name_of(layout.thumbs_of(number)) for number in ledger.numbers() if not thumbs_whole(ledger, number)]


def vanished_parts(layout: Layout) -> list[str]:
    """Names of parts of the ledger that were there when the dataset was last published, and are not now."""
    listed = (name for name in read_sums(layout.published_sums) if name.startswith(layout.name_of(layout.parts)))
    return sorted(name for name in listed if size_of(layout.root / name) is None)


def missing_sums(layout: Layout) -> list[str]:
    """Names of files of sums that were there when the dataset was last published, and are not now."""
    parts, folder = set(layout.numbers(layout.parts)), f"{layout.name_of(layout.sums)}/"
    listed = (name for name in read_sums(layout.published_sums) if name.startswith(folder))
    numbers = {name: int(name.removeprefix(folder).partition(".")[0]) for name in listed}
    # With a part its sums go too; what `facesieve sieve` wrote has sums and no parts.
    wanted = (name for name, number in numbers.items() if number in parts or not layout.made.exists())
    return sorted(name for name in wanted if size_of(layout.root / name) is None)


def thumbs_whole(ledger: Ledger, number: int) -> bool:
    """Whether the small pictures of a shard are there, with their size where it is known."""
    path = ledger.layout.thumbs_of(number)
    size = size_of(path)
    known = ledger.sums(number).get(ledger.layout.name_of(path))
    return bool(size) and (not known or any(one.size == size for one in known))


def marked(rows: pa.Table, undone: Collection[int]) -> pa.Table:
    """Rows of a part, some of them marked as to be done again."""
    at = rows.schema.get_field_index("fingerprint")
    mask = np.isin(np.arange(len(rows)), list(undone))
    fingerprints = np.where(mask, UNDONE, np.asarray(rows["fingerprint"].to_pylist(), object))
    return rows.set_column(at, rows.schema.field(at), pa.array(fingerprints, pa.string()))

"""Moves crops between `kept` and `rejected`, when rules that compare all faces change verdicts.

A crop gets its new name as a second link, then the ledger names it anew, and the old name is removed with all other
files that no row names. So a crash at any moment leaves each crop under the name that the ledger and the published
manifests have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.disk.atomic import sync_folders
from facesieve.dataset.disk.layout import Layout, file_size, other_crop_name
from facesieve.dataset.disk.link import link_file
from facesieve.dataset.disk.replace import remove_published_checksums
from facesieve.dataset.tables.hashes import Hashes, HashSet, hashes_of
from facesieve.dataset.tables.merge import Block
from facesieve.dataset.tables.named_files import NAMING_COLUMNS
from facesieve.dataset.tables.nested import with_face_columns
from facesieve.run.ledger import Ledger


def with_crops_moved(judged: Iterable[tuple[Block, Block]], ledger: Ledger) -> Iterator[Block]:
    """Yield the new ones of these blocks. At the end, every crop has the name in its row, also in the ledger.

    judged: each block as it is in the ledger, and with the verdicts.
    Raises DatasetError if a file cannot be read or written.
    """
    former = list[Hashes]()
    for old, new in judged:
        _link(old.faces["file_name"], new.faces["file_name"], ledger.layout)
        names = new.faces["file_name"].drop_null().to_pylist()
        former.append(hashes_of([other_crop_name(name) for name in names]))
        yield new
    _rename(ledger, HashSet(former))


def _link(old: pa.ChunkedArray, new: pa.ChunkedArray, layout: Layout) -> None:
    """Link the crops whose names change. One that is missing is left out; the end of the build reports it."""
    moved = pc.fill_null(pc.not_equal(old, new), False)
    pairs = zip(old.filter(moved).to_pylist(), new.filter(moved).to_pylist(), strict=True)
    there = [(was, now) for was, now in pairs if file_size(layout.root / was) is not None]
    for was, now in there:
        link_file(layout.root / was, layout.root / now, layout.scratch)
    sync_folders((layout.root / now for _, now in there), layout.root)


def _rename(ledger: Ledger, former: HashSet) -> None:
    """Rename crops in the ledger. former: hashes of the names that they must not have.

    That includes the rows of duplicates, which name the same crops and may count later.
    """
    begun = False
    for number in ledger.numbers():
        names = _file_names(ledger.table(number, NAMING_COLUMNS))
        renamed = {name: other_crop_name(name) for name in _among(names, former)}
        if not renamed:
            continue
        if not begun:  # they list the parts
            remove_published_checksums(ledger.layout)
            begun = True
        rows = ledger.table(number)
        changed = [renamed.get(name or "", name) for name in _file_names(rows)]
        ledger.rename_files(number, with_face_columns(rows, {"file_name": pa.array(changed, pa.string())}), renamed)


def _file_names(rows: pa.Table) -> list[str | None]:
    names: list[str | None] = rows["faces"].combine_chunks().flatten().field("file_name").to_pylist()
    return names


def _among(names: Iterable[str | None], former: HashSet) -> list[str]:
    there = [name for name in names if name is not None]
    return [name for name, one in zip(there, former.has(hashes_of(there)), strict=True) if one]

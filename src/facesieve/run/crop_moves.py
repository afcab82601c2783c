"""Moves crops between `kept` and `rejected`, and between labels, if verdicts change after the crops were written.

Rules that compare all faces change verdicts, and people change verdicts and labels.

A crop gets its new name as a second link, then the ledger names it anew, and the old name is removed with all other
files that no row names. So a crash at any moment leaves each crop under the name that the ledger and the published
manifests have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.disk.atomic import sync_folders
from facesieve.dataset.disk.layout import Layout, file_size
from facesieve.dataset.disk.link import link_file
from facesieve.dataset.disk.picture_names import crop_name
from facesieve.dataset.disk.replace import remove_published_checksums
from facesieve.dataset.tables.decisions import Decisions
from facesieve.dataset.tables.hashes import Hashes, HashSet, hashes_of
from facesieve.dataset.tables.merge import Block
from facesieve.dataset.tables.named_files import NAMING_COLUMNS
from facesieve.dataset.tables.nested import with_face_columns
from facesieve.run.ledger import Ledger


def with_crops_moved(judged: Iterable[tuple[Block, Block]], ledger: Ledger, decisions: Decisions) -> Iterator[Block]:
    """Yield the new ones of these blocks. At the end, every crop has the name in its row, also in the ledger.

    judged: each block as it is in the ledger, and with the verdicts. decisions: by hand, which may change labels.
    Raises DatasetError if a file cannot be read or written.
    """
    named = list[Hashes]()
    for old, new in judged:
        _link(old.faces["file_name"], new.faces["file_name"], ledger.layout)
        named.append(hashes_of(new.faces["file_name"].drop_null().to_pylist()))
        yield new
    _rename(ledger, HashSet(named), decisions)


def _link(old: pa.ChunkedArray, new: pa.ChunkedArray, layout: Layout) -> None:
    """Link the crops whose names change. One that is missing is left out; the end of the build reports it."""
    moved = pc.fill_null(pc.not_equal(old, new), False)
    pairs = zip(old.filter(moved).to_pylist(), new.filter(moved).to_pylist(), strict=True)
    there = [(was, now) for was, now in pairs if file_size(layout.root / was) is not None]
    for was, now in there:
        link_file(layout.root / was, layout.root / now, layout.scratch)
    sync_folders((layout.root / now for _, now in there), layout.root)


def _rename(ledger: Ledger, named: HashSet, decisions: Decisions) -> None:
    """Rename crops in the ledger. named: hashes of the names that crops have now.

    That includes the rows of duplicates, which name the same crops and may count later.
    """
    begun = False
    for number in ledger.numbers():
        renamed = _renamed(ledger.table(number, NAMING_COLUMNS), named, decisions)
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


def _renamed(rows: pa.Table, named: HashSet, decisions: Decisions) -> dict[str, str]:
    """The new names of the crops of ledger rows, by the old ones, for those whose names change."""
    nested = rows["faces"].combine_chunks()
    faces, labels = nested.flatten(), rows["label"].take(pc.list_parent_indices(nested)).combine_chunks()
    labels = pc.coalesce(decisions.labels(faces.field("face_id")), labels)
    written = pc.is_valid(faces.field("file_name"))
    columns = [one.filter(written).to_pylist() for one in (faces.field("file_name"), labels, faces.field("face_id"))]
    gone = np.flatnonzero(~named.has(hashes_of(columns[0]))).tolist()
    renamed = dict[str, str]()
    for name, label, face_id in ([column[at] for column in columns] for at in gone):
        candidates = [crop_name(label, face_id, kept) for kept in (True, False)]
        there = named.has(hashes_of(candidates)).tolist()
        if any(there):
            renamed[name] = candidates[there.index(True)]
    return renamed

"""Records which pictures only a list of paths named, so that a build notices lines that were removed from the list.

The path of a picture does not tell whether a list named it. So the dataset has a table with one row for each list and
picture, both as hashes of their identities. Some pictures have no row: those that were in the dataset before the list,
and those that a named folder or glob contains. They stay in the dataset when the list no longer names them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.parquet import read_table, table_bytes
from facesieve.dataset.disk.replace import replace_published_file
from facesieve.dataset.tables.inputs import input_keys
from facesieve.errors import DatasetError
from facesieve.records import Source
from facesieve.run.known import SourceIndex
from facesieve.run.ledger import Ledger
from facesieve.sources.remote.remote import Remote

_SCHEMA = pa.schema([("list", pa.binary()), ("picture", pa.binary())])


def hash_of(identity: bytes) -> bytes:
    """16 bytes that stand for an identity, the same in every process."""
    return blake2b(identity, digest_size=16).digest()


def record_lists(
    ledger: Ledger, found: Sequence[Source], listed: Mapping[bytes, Set[bytes]], wanted: Sequence[Source]
) -> frozenset[bytes]:
    """Record which pictures the lists add. Returns hashes of the pictures that no list names any more.

    found: all sources that the build found. wanted: those of them that it adds. listed: by the identity of each list
    that was read, the keys of the pictures that only lists name. A list is ignored if none of its files exists:
    perhaps it was moved, or a disk is not mounted.
    Raises DatasetError if the table cannot be written.
    """
    known = _read(ledger.layout)
    if not listed and not len(known):
        return frozenset()
    there = {source.key for source in found if source.fingerprint or isinstance(source.open, Remote)}
    lists = {hash_of(name): _hashes(keys) for name, keys in listed.items() if not there.isdisjoint(keys)}
    by_lists = set[bytes]().union(*listed.values())
    elsewhere = _hashes(source.key for source in found if source.key not in by_lists)
    kept = known.filter(pc.invert(pc.is_in(known["picture"], elsewhere)))
    remembered = kept["picture"].combine_chunks()
    new = _hashes(_not_in(ledger, [source for source in wanted if source.key in by_lists]))
    for name, pictures in lists.items():
        added = pictures.filter(pc.or_(pc.is_in(pictures, new), pc.is_in(pictures, remembered)))
        kept = pa.concat_tables([kept, _rows(name, added)])
    kept, gone = _settled(kept, lists)
    _write(ledger.layout, known, kept)
    return gone


def join_lists(ledgers: Sequence[Ledger], layout: Layout) -> None:
    """Record in a merged dataset which pictures only lists added to any of the datasets that are merged.

    A picture that one of them has without a list stays when no list names it any more, as after one build of all.
    Raises DatasetError if the table cannot be written.
    """
    joined, elsewhere = _SCHEMA.empty_table(), _hashes(())
    for ledger in ledgers:
        joined = pa.concat_tables([joined, _read(ledger.layout)])
    for ledger in ledgers if len(joined) else ():
        own = _read(ledger.layout)["picture"].combine_chunks()
        for rows in ledger.tables(["source", "identity"]):
            pictures = _hashes(input_keys(rows).to_pylist())
            pictures = pictures.filter(pc.invert(pc.is_in(pictures, own)))
            there = pictures.filter(pc.is_in(pictures, joined["picture"].combine_chunks()))
            elsewhere = pa.concat_arrays([elsewhere, there])
    _write(layout, _read(layout), joined.filter(pc.invert(pc.is_in(joined["picture"], elsewhere))))


def remove_pictures(layout: Layout, pictures: Collection[bytes]) -> None:
    """Remove the rows of pictures that left the dataset, by their hashes. Raises DatasetError if a write fails."""
    known = _read(layout)
    gone = pc.is_in(known["picture"], pa.array(sorted(pictures), pa.binary()))
    _write(layout, known, known.filter(pc.invert(gone)))


def _settled(rows: pa.Table, lists: Mapping[bytes, pa.Array]) -> tuple[pa.Table, frozenset[bytes]]:
    """The rows that still count, and the pictures that these lists named before and no list names now.

    Such a picture keeps its row until it leaves the dataset.
    """
    removed = np.zeros(len(rows), bool)
    for name, pictures in lists.items():
        removed |= np.asarray(pc.equal(rows["list"], name)) & ~np.asarray(pc.is_in(rows["picture"], pictures))
    if not removed.any():
        return rows, frozenset()
    named = np.asarray(pc.is_in(rows["picture"], rows["picture"].filter(pa.array(~removed)).combine_chunks()))
    gone = frozenset(rows["picture"].filter(pa.array(removed & ~named)).to_pylist())
    return rows.filter(pa.array(~(removed & named))), gone


def _not_in(ledger: Ledger, sources: Sequence[Source]) -> list[bytes]:
    """Keys of the sources that have no row in the ledger."""
    index, found = SourceIndex(sources), np.zeros(len(sources), bool)
    for rows in ledger.tables(["source", "identity"]) if sources else ():
        at = index.of(input_keys(rows).to_pylist())
        found[at[at >= 0]] = True
    return [sources[at].key for at in np.flatnonzero(~found).tolist()]


def _hashes(keys: Iterable[bytes]) -> pa.Array:
    """Sorted hashes of the keys of files.

    Keys with a NUL byte are left out: such a picture lies in an archive or a list, and is absent if that is.
    """
    return pa.array(sorted(hash_of(key) for key in keys if b"\0" not in key), pa.binary())


def _rows(name: bytes, pictures: pa.Array) -> pa.Table:
    return pa.table([pa.array([name] * len(pictures), pa.binary()), pictures], schema=_SCHEMA)


def _read(layout: Layout) -> pa.Table:
    """The table; empty if its file is missing or damaged, so that nothing counts as removed from a list."""
    try:
        return read_table(layout.lists, _SCHEMA.names).cast(_SCHEMA) if layout.lists.exists() else _SCHEMA.empty_table()
    except (DatasetError, pa.ArrowException, ValueError):
        return _SCHEMA.empty_table()


def _write(layout: Layout, before: pa.Table, after: pa.Table) -> None:
    after = after.group_by(_SCHEMA.names).aggregate([]).sort_by([(name, "ascending") for name in _SCHEMA.names])
    if not after.equals(before):
        replace_published_file(table_bytes(after), layout.lists, layout)

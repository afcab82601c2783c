"""Parts of a ledger become the rows of the two manifests, the same ones however the inputs were cut into parts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.compare import Tables
from facesieve.dataset.schema import face_schema, part_schema, picture_schema
from facesieve.dataset.shuffle import Shuffle
from facesieve.dataset.survey import Survey, fitted, survey
from facesieve.records import Integers

Block = tuple[pa.Table, pa.Table]  # faces and pictures of the same sources


def merge(tables: Tables, measures: Sequence[str], scratch: Path | None = None) -> Iterator[Block]:
    """Faces and pictures of all parts, sorted by source, some at a time; see `survey` for which rows count.

    tables: reads the parts, more than once. scratch: folder of temporary files; None takes the system's.
    Raises DatasetError when the parts do not have the columns of one dataset.
    """
    with survey(tables, scratch) as found:
        yield from merge_surveyed(tables, found, measures, scratch)


def merge_surveyed(tables: Tables, found: Survey, measures: Sequence[str], scratch: Path | None) -> Iterator[Block]:
    """As `merge`, of parts that were surveyed."""
    parts = (fitted(rows, measures) for rows in tables(None))
    with Shuffle(part_schema(measures), scratch) as blocks:
        for part in found.settled(parts):
            rows = part.counting
            blocks.add(rows, _block_of(rows["source"], found.bounds))
        for number in blocks.numbers():
            rows = _by_name(blocks.bucket(number))
            yield faces_of(rows, measures), pictures_of(rows)


def _block_of(names: pa.ChunkedArray, bounds: Sequence[str]) -> Integers:
    """How many bounds are not after each name."""
    ends = pc.min_max(names)
    if not len(names) or not bounds:
        return np.zeros(len(names), np.int64)
    low, high = (bisect_right(bounds, ends[end].as_py()) for end in ("min", "max"))
    if low == high:  # most parts lie in one block
        return np.full(len(names), low)
    return np.array([bisect_right(bounds, name, low, high) for name in names.to_pylist()], np.int64)


def _by_name(rows: pa.Table) -> pa.Table:
    names = rows["source"].combine_chunks()
    if pc.all(pc.less(names[:-1], names[1:])).as_py():
        return rows
    return rows.take(pc.sort_indices(names))


def faces_of(rows: pa.Table, measures: Sequence[str]) -> pa.Table:
    """The faces of pictures that were read, in order, with what a face's row says of its picture."""
    rows = rows.filter(pc.is_null(rows["refusal"])).combine_chunks()
    nested = rows["faces"].combine_chunks()
    structs = nested.flatten()
    owner = pc.list_parent_indices(nested)
    schema = face_schema(measures)
    held = dict(zip([field.name for field in structs.type], structs.flatten(), strict=True))
    of_picture = {name: rows[name].take(owner) for name in ("picture_id", "source", "label")}
    return pa.table([({**held, **of_picture})[name] for name in schema.names], schema=schema)


def pictures_of(rows: pa.Table) -> pa.Table:
    """Pictures with how many faces each has, and how many of them are kept."""
    schema = picture_schema()
    nested = rows["faces"].combine_chunks()
    read = np.asarray(pc.is_null(rows["refusal"]))
    owner = np.asarray(pc.list_parent_indices(nested)).astype(np.int64)
    kept = np.asarray(nested.flatten().field("kept"), bool)
    counts = {
        name: np.where(read, np.bincount(faces, minlength=len(rows)), 0).astype(np.int32)
        for name, faces in (("faces", owner), ("kept", owner[kept]))
    }
    columns = [pa.array(counts[name]) if name in counts else rows[name] for name in schema.names]
    return pa.table(columns, schema=schema)

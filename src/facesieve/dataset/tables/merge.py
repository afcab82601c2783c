"""Merges ledger parts into the rows of the two manifests. The result does not depend on how inputs were split."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.tables.clip_rows import with_lone_tracks
from facesieve.dataset.tables.conflicts import ReadParts
from facesieve.dataset.tables.embeddings import embeddings_of
from facesieve.dataset.tables.resolve import Resolution, resolve, with_part_schema
from facesieve.dataset.tables.schema import CROPS, face_schema, part_schema, picture_schema
from facesieve.dataset.tables.shuffle import Shuffle
from facesieve.records import Integers


class Block(NamedTuple):
    """Some rows of both manifests, of the same sources and in order.

    embeddings: one row for each row of `faces`; None if they were not asked for, or there are none.
    """

    faces: pa.Table
    pictures: pa.Table
    embeddings: pa.Table | None = None


def merge_parts(
    tables: ReadParts,
    measures: Sequence[str],
    scratch: Path | None = None,
    in_tars: bool = False,
    model: str = "",
    clips: bool = False,
) -> Iterator[Block]:
    """Yield the rows of both manifests from all parts, sorted by source, some at a time.

    Only the rows that count are yielded; see `resolve`.
    tables: reads the parts; called more than once. scratch: the folder for temporary files; None uses that of the
    system. in_tars: the crops are in tar files; the faces then have the column `crops` of the ledger. model: sha256 of
    the model whose embeddings are wanted; "" for none. clips: whether the dataset has clips.
    Raises DatasetError if the parts do not have the columns of one dataset.
    """
    with resolve(tables, scratch) as found:
        yield from merge_resolved(tables, found, measures, scratch, in_tars, model, clips)


def merge_resolved(
    tables: ReadParts,
    found: Resolution,
    measures: Sequence[str],
    scratch: Path | None,
    in_tars: bool = False,
    model: str = "",
    clips: bool = False,
) -> Iterator[Block]:
    """Like `merge_parts`, for parts that are resolved already."""
    parts = (with_part_schema(rows, measures, in_tars, model, clips) for rows in tables(None))
    with Shuffle(part_schema(measures, in_tars, bool(model), clips), scratch) as blocks:
        for part in found.resolved(parts):
            rows = part.counted_rows
            blocks.add(rows, _block_of(rows["source"], found.bounds))
        for number in blocks.numbers():
            rows = _by_name(blocks.bucket(number))
            faces = faces_of(rows, measures, in_tars, clips)
            yield Block(faces, pictures_of(rows, clips), embeddings_of(rows) if model else None)


def _block_of(names: pa.ChunkedArray, bounds: Sequence[str]) -> Integers:
    """The number of the block of each name: how many bounds are not greater than it."""
    ends = pc.min_max(names)
    if not len(names) or not bounds:
        return np.zeros(len(names), np.int64)
    low, high = (bisect_right(bounds, ends[end].as_py()) for end in ("min", "max"))
    if low == high:  # most parts are in one block
        return np.full(len(names), low)
    return np.array([bisect_right(bounds, name, low, high) for name in names.to_pylist()], np.int64)


def _by_name(rows: pa.Table) -> pa.Table:
    names = rows["source"].combine_chunks()
    if pc.all(pc.less(names[:-1], names[1:])).as_py():
        return rows
    return rows.take(pc.sort_indices(names))


def faces_of(rows: pa.Table, measures: Sequence[str], in_tars: bool = False, clips: bool = False) -> pa.Table:
    """The rows of `faces`, from ledger rows: the faces of every picture that was read, in order."""
    rows = rows.filter(pc.is_null(rows["refusal"])).combine_chunks()
    nested = rows["faces"].combine_chunks()
    structs = nested.flatten()
    owner = pc.list_parent_indices(nested)
    schema = face_schema(measures, clips=clips)
    schema = schema.append(CROPS) if in_tars else schema
    held = dict(zip([field.name for field in structs.type], structs.flatten(), strict=True))
    of_picture = {name: rows[name].take(owner) for name in ("picture_id", "source", "label")}
    faces = pa.table([({**held, **of_picture})[name] for name in schema.names], schema=schema)
    return with_lone_tracks(faces) if clips else faces


def pictures_of(rows: pa.Table, clips: bool = False) -> pa.Table:
    """The rows of `pictures`, from ledger rows, with the number of faces and of kept faces of each."""
    schema = picture_schema(clips)
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

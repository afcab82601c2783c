"""The columns of all faces that relations among them are computed from, in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.manifests import Manifests, hashes_of_rows, measures_of_rows
from facesieve.dataset.tables.decisions import with_labels
from facesieve.dataset.tables.embeddings import vectors_of
from facesieve.errors import ModelError
from facesieve.models.catalog import Limits, entry
from facesieve.records import EMBEDDING_SIZE, ByHand, Floats, Floats16, Indices, Integers, Mask, Measures, Pixels
from facesieve.relate import Embedded, Space
from facesieve.run.derive import frames_of, owners, times_of, tracks_of, with_derived_measures
from facesieve.run.face_tables import FaceTables


@dataclass(frozen=True, slots=True, eq=False)
class FaceColumns:
    """N faces, one row for each row of `faces`.

    order: (N,) numbers that order faces by their ids. label: (N,) the number of each face's label, -1 for none.
    labels: the names of the labels by number. picture: (N,) the number of each face's picture or frame, ascending.
    track: (N,) the number of each face's track. time: (N,) seconds of a clip, NaN in still pictures.
    by_hand: (N,) what people decided.
    vectors: (N, 128), NaN for a face without an embedding; None if the dataset has none.
    space, limits: of the model of the embeddings, or None. measures: `prominence`, and those that were asked for.
    """

    order: Integers
    label: Indices
    labels: tuple[str, ...]
    picture: Indices
    track: Indices
    time: Floats
    prominence: Floats
    fitness: Floats
    hashes: Pixels
    by_hand: ByHand
    vectors: Floats16 | None
    space: Space | None
    limits: Limits | None
    measures: Measures

    def __len__(self) -> int:
        return len(self.order)

    @property
    def embedded(self) -> Embedded | None:
        """The embeddings as the search for near-duplicates takes them."""
        if self.vectors is None or self.space is None or self.limits is None:
            return None
        return Embedded(self.vectors, self.space, self.limits.twin, self.limits.twin_bits)


def space_of(model: str) -> tuple[Space, Limits]:
    """The space of the embeddings of a model of the catalog, and the limits of its distances. Raises ModelError."""
    meaning = entry(model).embedding
    if meaning is None:
        raise ModelError("unknown_model", f"Model {model!r} computes no embeddings.")
    return Space(meaning.distance == "cosine", meaning.limits.reach), meaning.limits


def face_columns(tables: FaceTables, wanted: Collection[str] = ()) -> FaceColumns:
    """Read the columns of all faces. Raises DatasetError if the tables are damaged.

    wanted: names of measures to hold too; those that the tables lack are left out.
    """
    parts, ids, codes, pictures, tracks = list[list[Any]](), list[pa.Array](), dict[str, int](), 0, 0
    held = {name: [np.zeros(0)] for name in {*wanted} & {*tables.names}}
    for found_block in tables.blocks(tables.model is not None):
        block = with_labels(found_block, tables.decisions)
        measures = with_derived_measures(measures_of_rows(block.faces, tables.names), block)
        for name in {*wanted} & measures.columns.keys():
            held.setdefault(name, []).append(measures[name])
        ids += block.faces["face_id"].chunks
        picture, track = frames_of(owners(block), block), tracks_of(owners(block), block)
        parts.append(
            [
                _numbers(block.faces["label"], codes),
                picture + pictures,
                track + tracks,
                times_of(block),
                measures["prominence"],
                measures.columns.get("fitness", np.full(len(block.faces), np.nan)),
                hashes_of_rows(block.faces),
                tables.decisions.verdicts(block.faces["face_id"]),
                *([] if block.embeddings is None else [vectors_of(block.embeddings).astype(np.float16)]),
            ]
        )
        pictures += int(picture.max(initial=-1)) + 1
        tracks += int(track.max(initial=-1)) + 1
    order = _ranks(pa.chunked_array(ids, pa.string()))
    label, pictured, tracked, time, prominence, fitness, hashes, by_hand, *vectors = _joined(
        parts, tables.model is not None
    )
    space, limits = space_of(tables.model) if tables.model else (None, None)
    found = vectors[0] if vectors else None
    columns = {name: np.concatenate(parts) for name, parts in held.items()}
    measures = Measures({"prominence": prominence, **columns})
    where = (pictured, tracked, time)
    names = tuple(codes)
    alone = (prominence, fitness, hashes, by_hand)
    return FaceColumns(order, label, names, *where, *alone, found, space, limits, measures)


def ids_and_verdicts(dataset: Manifests) -> tuple[pa.ChunkedArray, Mask]:
    """The ids of all faces, and (N,) boolean, which are kept."""
    empty = pa.schema([("face_id", pa.string()), ("kept", pa.bool_())]).empty_table()
    rows = pa.concat_tables([empty, *dataset.face_tables(empty.column_names)])
    return rows["face_id"], np.asarray(rows["kept"], bool)


def _ranks(ids: pa.ChunkedArray) -> Integers:
    """(N,) numbers that order faces like their ids."""
    return np.asarray(pc.rank(ids, tiebreaker="dense")).astype(np.int64)


def _numbers(labels: pa.ChunkedArray, codes: dict[str, int]) -> Indices:
    names = labels.to_pylist()
    return np.array([codes.setdefault(name, len(codes)) if name else -1 for name in names], np.intp)


def _joined(parts: list[list[Any]], embedded: bool) -> Iterator[Any]:
    """Yield each column of all parts, and take it out of them, so that its memory is free afterwards."""
    kinds = (np.intp, np.intp, np.intp, np.float64, np.float64, np.float64)
    empty: list[Any] = [np.zeros(0, kind) for kind in kinds]
    empty += [
        np.zeros((0, 32), np.uint8),
        np.zeros(0, np.int8),
        *([np.zeros((0, EMBEDDING_SIZE), np.float16)] if embedded else []),
    ]
    for none in empty:
        yield np.concatenate([none, *(part.pop(0) for part in parts)])

"""Judges the rows of a dataset from its tables. It reads no picture and runs no network.

    faces, pictures ─ blocks ─ derive: prominence, fitness ─ judge, rule by rule ─ new rows
                                                                ├ relations in one picture, of the block
                                                                └ relations among all faces, computed before

Blocks are some thousands of faces, and the faces of a picture are in one block, so memory stays the same at any size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from facesieve.dataset.disk.picture_names import crop_name
from facesieve.dataset.manifests import measures_of_rows
from facesieve.dataset.origin import ClipOptions
from facesieve.dataset.tables.clip_rows import with_lone_tracks
from facesieve.dataset.tables.decisions import NO_DECISIONS, Decisions, with_labels
from facesieve.dataset.tables.merge import Block
from facesieve.dataset.tables.schema import CROPS, TAR_POSITION, face_schema, measure_columns
from facesieve.records import ByHand, Floats, Measures
from facesieve.run.derive import owners, relations_in_pictures, with_derived_measures
from facesieve.run.relate_all import RelationsOfAll
from facesieve.sieve import Judgement, Relations

Judge = Callable[[Measures, Relations, ByHand], Judgement]
OF_TARS = frozenset({CROPS.name, *(field.name for field in TAR_POSITION)})


@dataclass(frozen=True, slots=True)
class Verdicts:
    """The verdicts on all faces of a dataset.

    judge: called with the measures, the relations and the decisions by hand of some thousands of faces at a time, in
    order. related: the relations among all faces. held: the measure columns of the rows. wanted: those of the result.
    in_tars: whether the crops are in tar files. keeps_crops: whether a rejected face keeps the crop that it has.
    clips: how clips were read; None if there are none. decisions: what people decided about faces.
    """

    judge: Judge
    related: RelationsOfAll
    held: tuple[str, ...]
    wanted: tuple[str, ...]
    in_tars: bool
    keeps_crops: bool
    clips: ClipOptions | None = None
    decisions: Decisions = NO_DECISIONS

    def on(self, blocks: Iterable[Block]) -> Iterator[tuple[Block, Block]]:
        """Yield each block of rows as it was, and with the verdicts. blocks: all rows, in order."""
        names, first, gap = measure_columns(self.held), 0, self.clips.shot_gap if self.clips else 0.0
        for old in blocks:
            measures = with_derived_measures(measures_of_rows(old.faces, names), old)
            relations = {**relations_in_pictures(measures, old, gap), **self.related.of_rows(first, len(old.faces))}
            by_hand = self.decisions.verdicts(old.faces["face_id"])
            judgement, first = self.judge(measures, relations, by_hand), first + len(old.faces)
            labelled = with_labels(old, self.decisions).faces
            faces = _with_measures(labelled, {**measures.columns, **judgement.relations}, self._schema(old.faces))
            faces = with_lone_tracks(faces) if self.clips else faces
            faces = _with(faces, "kept", pa.array(judgement.kept, pa.bool_()))
            faces = _with(faces, "reasons", pa.array(judgement.reasons(), pa.list_(pa.string())))
            if not self.in_tars:
                faces = _with(faces, "file_name", _file_names(faces, self.keeps_crops))
            yield old, Block(faces, _with(old.pictures, "kept", _kept_in_pictures(faces, old)), old.embeddings)

    def _schema(self, faces: pa.Table) -> pa.Schema:
        of_tars = (field for field in faces.schema if field.name in OF_TARS)
        return pa.schema([*face_schema(self.wanted, clips=self.clips is not None), *of_tars])


def _with_measures(faces: pa.Table, columns: Mapping[str, Floats], schema: pa.Schema) -> pa.Table:
    """The rows with these measures. Columns that are new are in their place in the schema; NaN is null."""
    new = {name: columns[name] for name in schema.names if name in columns}
    known = {name: pa.array(column, mask=np.isnan(column)) for name, column in new.items()}
    return pa.table([known[name] if name in known else faces[name] for name in schema.names], schema=schema)


def _with(table: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), table.schema.field(name), column)


def _file_names(faces: pa.Table, keeps_crops: bool) -> pa.Array:
    """The new file name of each face's crop; null if there was none, or if its verdict now needs none."""
    columns = zip(*(faces[name].to_pylist() for name in ("label", "face_id", "kept", "file_name")), strict=True)
    names = [
        crop_name(label, face_id, kept) if was and (kept or keeps_crops) else None
        for label, face_id, kept, was in columns
    ]
    return pa.array(names, pa.string())


def _kept_in_pictures(faces: pa.Table, old: Block) -> pa.Array:
    """How many faces of each picture are kept now."""
    kept = np.asarray(faces["kept"], bool)
    return pa.array(np.bincount(owners(old)[kept], minlength=len(old.pictures)).astype(np.int32))

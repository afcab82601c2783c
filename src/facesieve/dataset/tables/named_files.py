"""Which picture files the rows of a dataset name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.disk.picture_names import cut_name, marked_clip_name, marked_name
from facesieve.dataset.tables.resolve import ResolvedPart

# The ledger columns from which the file names follow. Older versions of Parquet call `element` `item`.
NAMING_COLUMNS = (
    *("source", "label", "picture_id", "refusal", "frames"),
    *(f"faces.list.{item}.{name}" for item in ("element", "item") for name in ("face_id", "file_name")),
)


def named_files(faces: pa.Table, pictures: pa.Table, outputs: Outputs) -> set[str]:
    """The picture files and tar files that belong to rows of the manifests, as names relative to the dataset."""
    if outputs.in_tars:
        names = set(pc.unique(faces["shard"]).drop_null().to_pylist())
    else:
        written = faces.filter(pc.is_valid(faces["file_name"]))["file_name"]
        names = set(written.to_pylist())
        names |= set(cuts_of(faces, pictures, outputs.cuts))
    return names | {name for _, name in _marked(pictures, outputs)}


def cuts_of(faces: pa.Table, pictures: pa.Table, cuts: Sequence[str]) -> Iterator[str]:
    """Yield the names of the unaligned crops of rows of faces.

    They stay in the folder of the label that the picture was found under, also if a person changes that of a face.
    """
    if cuts:
        written = faces.filter(pc.is_valid(faces["file_name"]))
        labels = pictures["label"].take(pc.index_in(written["source"], pictures["source"])).to_pylist()
        for label, face_id in zip(labels, written["face_id"].to_pylist(), strict=True):
            yield from (cut_name(what, label, face_id) for what in cuts)


def files_of_part(part: ResolvedPart, outputs: Outputs) -> set[str]:
    """The picture files that one ledger part adds to the manifests, without crops in tar files."""
    read = np.asarray(pc.is_null(part.rows["refusal"]))
    return {name for _, name in files_of_rows(part.rows.filter(pa.array(read & part.counts)), outputs)}


def files_of_rows(rows: pa.Table, outputs: Outputs) -> Iterator[tuple[int, str]]:
    """Yield the index of a ledger row and a picture file that it names, for every such file.

    Crops in tar files are left out; see `crops_of_rows`.
    """
    labels = rows["label"].to_pylist()
    if not outputs.in_tars:
        for row, face_id, name in _crops(rows):
            yield row, name
            for what in outputs.cuts:
                yield row, cut_name(what, labels[row], face_id)
    yield from _marked(rows, outputs)


def _marked(pictures: pa.Table, outputs: Outputs) -> Iterator[tuple[int, str]]:
    """Yield the index of a picture that was read and a marked copy of it, for every such copy."""
    if not (outputs.marked or outputs.marked_video):
        return
    columns = [pictures[name].to_pylist() for name in ("label", "source", "picture_id", "refusal")]
    has_clips = "frames" in pictures.column_names
    clips = np.asarray(pc.is_valid(pictures["frames"])) if has_clips else np.zeros(len(pictures), bool)
    for row, (label, source, picture_id, refusal) in enumerate(zip(*columns, strict=True)):
        if refusal is None and outputs.marked:
            yield row, marked_name(label, source, picture_id)
        if refusal is None and outputs.marked_video and clips[row]:
            yield row, marked_clip_name(label, source, picture_id)


def crops_of_part(part: ResolvedPart) -> set[str]:
    """The aligned crops that one ledger part adds to the manifests, by their names in tar files."""
    read = np.asarray(pc.is_null(part.rows["refusal"]))
    return {name for _, name in crops_of_rows(part.rows.filter(pa.array(read & part.counts)))}


def crops_of_rows(rows: pa.Table) -> Iterator[tuple[int, str]]:
    """Yield the index of a ledger row and the name of an aligned crop of it, for every such crop."""
    return ((row, name) for row, _, name in _crops(rows))


def _crops(rows: pa.Table) -> Iterator[tuple[int, str, str]]:
    nested = rows["faces"].combine_chunks()
    structs = nested.flatten()
    faces = (pc.list_parent_indices(nested), structs.field("face_id"), structs.field("file_name"))
    for row, face_id, name in zip(*(column.to_pylist() for column in faces), strict=True):
        if name is not None:
            yield row, face_id, name

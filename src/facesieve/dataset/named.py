"""Which picture files the rows of a dataset name, and which of them are missing or not whole on disk."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.commit import reading
from facesieve.dataset.files import Outputs
from facesieve.dataset.layout import cut_name, marked_name, size_of
from facesieve.dataset.sums import Sums
from facesieve.dataset.survey import Settled

_ENDS = {".png": b"IEND\xaeB`\x82", ".jpg": b"\xff\xd9"}


# Columns of the ledger that tell which files the rows name; the `item` is how older versions of Parquet call it.
NAMING = (
    *("source", "label", "picture_id", "refusal"),
    *(f"faces.list.{item}.{name}" for item in ("element", "item") for name in ("face_id", "file_name")),
)


def named_files(faces: pa.Table, pictures: pa.Table, outputs: Outputs) -> set[str]:
    """The picture files that belong to rows of the manifests, by name relative to the dataset."""
    written = faces.filter(pc.is_valid(faces["file_name"])).select(["label", "face_id", "file_name"])
    names = set(written["file_name"].to_pylist())
    for what in outputs.cuts:
        names |= {cut_name(what, *face) for face in zip(*_columns(written, "label", "face_id"), strict=True)}
    if outputs.marked:
        read = pictures.filter(pc.is_null(pictures["refusal"]))
        columns = _columns(read, "label", "source", "picture_id")
        names |= {marked_name(*row) for row in zip(*columns, strict=True)}
    return names


def names_of(part: Settled, outputs: Outputs) -> set[str]:
    """The picture files that the manifests name because of one part of the ledger."""
    read = np.asarray(pc.is_null(part.rows["refusal"]))
    return {name for _, name in files_of_rows(part.rows.filter(pa.array(read & part.counts)), outputs)}


def files_of_rows(rows: pa.Table, outputs: Outputs) -> Iterator[tuple[int, str]]:
    """Every picture file that rows of a ledger part name, with the index of the row."""
    nested = rows["faces"].combine_chunks()
    structs = nested.flatten()
    labels, sources, ids, refusals = _columns(rows, "label", "source", "picture_id", "refusal")
    faces = (pc.list_parent_indices(nested), structs.field("face_id"), structs.field("file_name"))
    for row, face_id, name in zip(*(column.to_pylist() for column in faces), strict=True):
        if name is not None:
            yield row, name
            for what in outputs.cuts:
                yield row, cut_name(what, labels[row], face_id)
    if outputs.marked:
        for row, refusal in enumerate(refusals):
            if refusal is None:
                yield row, marked_name(labels[row], sources[row], ids[row])


def not_whole(names: Iterable[str], sums: Sums, root: Path) -> list[str]:
    """The names whose files are absent, empty or of a wrong size; no file with a known size is opened.

    A file without a sum is opened, and must end as its format does.
    """
    return [name for name in names if not _whole(name, size_of(root / name), sums, root)]


def some(names: Sequence[str]) -> str:
    """A few of many names, for a sentence.

    >>> some(["a", "b", "c", "d", "e"])
    '5 files (a, b, c, ...)'
    """
    return f"{len(names)} file{'s' * (len(names) > 1)} ({', '.join([*names[:3], '...'][: len(names)])})"


def _whole(name: str, size: int | None, sums: Sums, root: Path) -> bool:
    if not size:
        return False
    known = sums.get(name)
    if known:
        return any(one.size == size for one in known)
    return ends_well(root / name)


def ends_well(path: Path) -> bool:
    """Whether a PNG or JPEG file ends as its format does; one that was cut short does not."""
    end = _ENDS.get(path.suffix, b"")
    with reading(path), path.open("rb") as stream:
        stream.seek(0, os.SEEK_END)
        stream.seek(max(0, stream.tell() - len(end)))
        return stream.read() == end


def _columns(table: pa.Table, *names: str) -> list[list[str]]:
    return [table[name].to_pylist() for name in names]

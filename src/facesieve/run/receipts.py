"""The receipts of exports in a dataset: which exports hold the faces of a person who is to be forgotten.

A receipt is a Parquet file: one column with the ids of the faces of an export, and JSON that says what it is. When a
face is forgotten, its id leaves the receipts, and the JSON counts it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from facesieve.dataset.disk.atomic import open_for_writing
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.parquet import read_groups, schema_of
from facesieve.errors import DatasetError

_KEY = b"facesieve"
FACE_IDS = pa.schema([pa.field("face_id", pa.string())])


class Holding(NamedTuple):
    """An export with faces that were forgotten. output: its folder, when it was made. faces: how many it has."""

    output: str
    faces: int


class Receipt(NamedTuple):
    """A receipt. about: `output`, `made` and `spec` of the export, and `forgotten`, if faces of it were forgotten."""

    about: Mapping[str, Any]
    path: Path


def receipts(layout: Layout) -> list[Receipt]:
    """All receipts. Raises DatasetError if one is damaged."""
    paths = sorted(layout.exports.glob("*.parquet")) if layout.exports.is_dir() else []
    return [Receipt(_about(path), path) for path in paths]


def write_receipt(about: Mapping[str, Any], faces: Iterable[pa.Table], path: Path, layout: Layout) -> None:
    """Write a receipt. faces: tables with the column `face_id`. Raises DatasetError if it cannot be written."""
    schema = FACE_IDS.with_metadata({_KEY: json.dumps(dict(about))})
    with open_for_writing(path, layout.scratch) as stream, pq.ParquetWriter(stream, schema) as file:
        for rows in faces:
            file.write_table(rows.select(FACE_IDS.names).cast(schema))


def exports_holding(layout: Layout, face_ids: Collection[str]) -> list[tuple[Receipt, int]]:
    """The exports that have some of these faces, or faces that were forgotten earlier and are still there."""
    wanted, found = pa.array(sorted(face_ids), pa.string()), list[tuple[Receipt, int]]()
    for receipt in receipts(layout):
        now = sum(pc.sum(pc.is_in(rows["face_id"], wanted)).as_py() or 0 for rows in read_groups(receipt.path))
        earlier = receipt.about.get("forgotten", 0) if Path(receipt.about["output"]).exists() else 0
        if now or earlier:
            found.append((receipt, now))
    return found


def strike_faces(holding: Iterable[tuple[Receipt, int]], face_ids: Collection[str], layout: Layout) -> None:
    """Remove the ids of faces from receipts, and count them there. Raises DatasetError if one cannot be written."""
    gone = pa.array(sorted(face_ids), pa.string())
    for receipt, now in holding:
        if now:
            about = {**receipt.about, "forgotten": receipt.about.get("forgotten", 0) + now}
            groups = (rows.filter(pc.invert(pc.is_in(rows["face_id"], gone))) for rows in read_groups(receipt.path))
            write_receipt(about, groups, receipt.path, layout)


def holdings(holding: Iterable[tuple[Receipt, int]]) -> tuple[Holding, ...]:
    """What to tell the user about these exports, by their folders."""
    counts = ((receipt.about, now) for receipt, now in holding)
    return tuple(sorted(Holding(about["output"], about.get("forgotten", 0) + now) for about, now in counts))


def _about(path: Path) -> Mapping[str, Any]:
    try:
        about: Mapping[str, Any] = json.loads(schema_of(path).metadata[_KEY])
        str(about["output"])
    except (DatasetError, KeyError, TypeError, ValueError) as error:
        raise DatasetError(
            "damaged_receipt", f"{path} is damaged, so nobody knows which faces that export has. Delete the file."
        ) from error
    return about

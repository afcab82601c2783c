"""The receipts of exports in a dataset: they say which exports have the faces of a person.

A receipt is a Parquet file: one column with the ids of the faces of an export, and JSON that says what it is. When a
face is forgotten, its id leaves the receipts, and the JSON counts it. A dataset that `sieve -o` wrote has a receipt,
too, and may have receipts of its own exports.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterable, Mapping
from contextlib import nullcontext, suppress
from datetime import UTC, datetime
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
    """An export with faces that were forgotten. output: its folder, when it was made. faces: how many it has.

    dataset: whether it is a dataset that `sieve -o` wrote.
    """

    output: str
    faces: int
    dataset: bool = False


class Receipt(NamedTuple):
    """A receipt.

    about: `output` and `made` of an export, its `spec` or for a dataset its `policy`, and `forgotten`, if faces of it
    were forgotten. layout: the dataset that has the receipt.
    """

    about: Mapping[str, Any]
    path: Path
    layout: Layout


def receipts(layout: Layout) -> list[Receipt]:
    """All receipts. Raises DatasetError if one is damaged."""
    paths = sorted(layout.exports.glob("*.parquet")) if layout.exports.is_dir() else []
    return [Receipt(_about(path), path, layout) for path in paths]


def leave_receipt(how: Mapping[str, Any], faces: Iterable[pa.Table], output: Path, layout: Layout) -> Path | None:
    """Write the receipt of an export in the dataset. Returns its path; None if the dataset cannot be written.

    how: `spec` or `policy`. faces: tables with the column `face_id`. output: the folder of the export. Another export
    to the same place replaces the receipt of the one before.
    """
    absolute = str(output.absolute())
    path = layout.exports / f"{hashlib.sha256(os.fsencode(absolute)).hexdigest()[:16]}.parquet"
    about = {"output": absolute, "made": datetime.now(UTC).isoformat(timespec="seconds"), **how}
    try:
        _write(about, faces, path, layout)
    except DatasetError:
        return None
    return path


def _write(about: Mapping[str, Any], faces: Iterable[pa.Table], path: Path, layout: Layout) -> None:
    schema = FACE_IDS.with_metadata({_KEY: json.dumps(dict(about))})
    with open_for_writing(path, layout.scratch) as stream, pq.ParquetWriter(stream, schema) as file:
        for rows in faces:
            file.write_table(rows.select(FACE_IDS.names).cast(schema))


def exports_holding(layout: Layout, face_ids: Collection[str]) -> list[tuple[Receipt, int]]:
    """The exports that have some of these faces, or faces that were forgotten earlier and are still there.

    Also looks into the datasets that `sieve -o` wrote from this one, and from those. Raises DatasetError if a receipt
    is damaged.
    """
    wanted, found = pa.array(sorted(face_ids), pa.string()), list[tuple[Receipt, int]]()
    for receipt in _all_receipts(layout):
        now = sum(pc.sum(pc.is_in(rows["face_id"], wanted)).as_py() or 0 for rows in read_groups(receipt.path))
        earlier = receipt.about.get("forgotten", 0) if Path(receipt.about["output"]).exists() else 0
        if now or earlier:
            found.append((receipt, now))
    return found


def _all_receipts(layout: Layout) -> list[Receipt]:
    """The receipts of a dataset, and of the datasets that they name; not of those that this user may not read."""
    found, seen = receipts(layout), {layout.root.resolve()}
    for receipt in found:  # also those that are appended meanwhile
        root = Path(receipt.about["output"])
        if _of_dataset(receipt.about) and root.resolve() not in seen:
            seen.add(root.resolve())
            try:
                found += receipts(Layout(root))
            except DatasetError as error:
                if error.code != "cannot_read":
                    raise
    return found


def _of_dataset(about: Mapping[str, Any]) -> bool:
    return "policy" in about


def strike_faces(holding: Iterable[tuple[Receipt, int]], face_ids: Collection[str], layout: Layout) -> None:
    """Remove the ids of faces from receipts, and count them there.

    Raises DatasetError if one of this dataset cannot be written. Those of other datasets stay if they cannot.
    """
    gone = pa.array(sorted(face_ids), pa.string())
    for receipt, now in holding:
        if now:
            about = {**receipt.about, "forgotten": receipt.about.get("forgotten", 0) + now}
            groups = (rows.filter(pc.invert(pc.is_in(rows["face_id"], gone))) for rows in read_groups(receipt.path))
            with nullcontext() if receipt.layout == layout else suppress(DatasetError):
                _write(about, groups, receipt.path, receipt.layout)


def holdings(holding: Iterable[tuple[Receipt, int]]) -> tuple[Holding, ...]:
    """What to tell the user about these exports, by their folders."""
    counts = ((receipt.about, now) for receipt, now in holding)
    found = (Holding(about["output"], about.get("forgotten", 0) + now, _of_dataset(about)) for about, now in counts)
    return tuple(sorted(found))


def _about(path: Path) -> Mapping[str, Any]:
    try:
        about: Mapping[str, Any] = json.loads(schema_of(path).metadata[_KEY])
        str(about["output"])
    except (DatasetError, KeyError, TypeError, ValueError) as error:
        raise DatasetError(
            "damaged_receipt", f"{path} is damaged, so nobody knows which faces that export has. Delete the file."
        ) from error
    return about

"""The thumbnails of faces, which the ledger of a dataset has."""

from __future__ import annotations

import base64
from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.disk.checksums import read_checksums
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.parquet import read_table
from facesieve.errors import DatasetError


def thumbnails(layout: Layout, faces: Collection[str]) -> dict[str, bytes]:
    """The thumbnails of these faces, as JPEG by face id. A face can lack one.

    Raises DatasetError if a file of thumbnails that has one of them is damaged.
    """
    wanted = pa.array(sorted(set(faces)), pa.string())
    found: dict[str, bytes] = {}
    for number in layout.numbers(layout.thumbs):
        path = layout.thumbs_of(number)
        try:
            if _has_one(path, wanted):
                rows = read_table(
                    path, known=read_checksums(layout.sums_of(number)).get(layout.name_of(path), frozenset())
                )
                rows = rows.filter(pc.is_in(rows["face_id"], wanted))
                found |= dict(zip(*(column.to_pylist() for column in rows.columns), strict=True))
        except DatasetError as error:
            if error.code != "not_a_dataset":  # it was removed meanwhile; the build reports that at its end
                raise
    return found


def as_text(thumbs: dict[str, bytes]) -> dict[str, str]:
    """Thumbnails as base64, by face id, in the order of the ids: equal datasets have equal pages."""
    return {face: base64.b64encode(jpeg).decode() for face, jpeg in sorted(thumbs.items())}


def _has_one(path: Path, wanted: pa.Array) -> bool:
    """Whether a file has one of the faces. Only the column of their ids is read."""
    ids = read_table(path, ["face_id"])["face_id"]
    return bool(pc.any(pc.is_in(ids, wanted)).as_py())

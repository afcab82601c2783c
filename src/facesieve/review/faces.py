"""The faces of a dataset as compact columns in memory: tens of bytes per face, and 8 for each measure that is used.

The rows are as they were published; decisions that people made since are kept apart (`hand.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.disk.picture_names import crop_name
from facesieve.dataset.manifests import Manifests, open_manifests
from facesieve.dataset.tables.decisions import NO_DECISIONS
from facesieve.errors import DatasetError
from facesieve.records import BY_HAND, Floats, Mask
from facesieve.report.policy import policy_of
from facesieve.sieve import Policy

Stamp = tuple[int, int, int]
Rows = npt.NDArray[np.int32]
MOST_MEASURES = 16  # columns of measures in memory
ID_BYTES = 16


@dataclass(frozen=True, slots=True, eq=False)
class Tars:
    """Where crops are in tar files. names: of these files. file, offset, size: (N,) where each crop is."""

    names: list[str]
    file: Rows
    offset: npt.NDArray[np.int64]
    size: Rows


@dataclass(eq=False)
class Faces:
    """N faces and their P pictures.

    ids: (N,) void of 16 bytes. picture: (N,) the row of each face's picture. label: (N,) the published label of each
    face, as an index into `labels`. found: (N,) the same for the label of its picture. pattern: (N,) the reasons of the
    rules, as an index into `patterns`. kept: (N,) as the rules say. published: (N,) as published, with the decisions of
    then.
    has_crop: (N,). sources: (P,) names. tars: where crops are in tar files; None if they are files.
    """

    dataset: Manifests
    policy: Policy
    stamp: Stamp
    ids: npt.NDArray[np.void]
    picture: Rows
    label: Rows
    found: Rows
    labels: list[str]
    pattern: Rows
    patterns: list[tuple[str, ...]]
    kept: Mask
    published: Mask
    has_crop: Mask
    sources: pa.Array
    tars: Tars | None = None
    _measures: dict[str, Floats] = field(default_factory=dict)
    _order: Rows | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def measure(self, name: str) -> Floats:
        """(N,) float64 one measure; NaN where it was not measured. Raises DatasetError if the dataset changed."""
        if name not in self._measures:
            while len(self._measures) >= MOST_MEASURES:
                del self._measures[next(iter(self._measures))]
            self._measures[name] = np.concatenate([np.zeros(0), *self._column(name)])
            self.check_unchanged()
        self._measures[name] = self._measures.pop(name)  # the last one used is the last one to go
        return self._measures[name]

    def _column(self, name: str) -> Iterator[Floats]:
        for rows in self.dataset.face_tables([name]):
            yield np.asarray(rows[name].combine_chunks().fill_null(np.nan), np.float64)

    def check_unchanged(self) -> None:
        """Raise DatasetError `dataset_changed` if the dataset was published again since it was read."""
        if stamp_of(self.dataset.layout.about) != self.stamp:
            raise DatasetError("dataset_changed", f"{self.dataset.layout.root} was written again. Loading it anew.")

    def rows_of(self, ids: list[str]) -> list[Rows]:
        """The rows of each of these faces; several if its picture lies at several paths."""
        if self._order is None:
            self._order = np.argsort(self.ids, kind="stable").astype(np.int32)
        keys = np.array([bytes.fromhex(one) for one in ids], f"V{ID_BYTES}")
        ends = [np.searchsorted(self.ids, keys, side, sorter=self._order) for side in ("left", "right")]
        return [self._order[start:end] for start, end in zip(*ends, strict=True)]

    def face_id(self, row: int) -> str:
        """The id of a face as hex digits."""
        return str(self.ids[row].tobytes().hex())

    def source(self, row: int) -> str:
        """The name of the picture or clip of a face."""
        return str(self.sources[int(self.picture[row])])

    def crop_path(self, row: int) -> Path | None:
        """The file of the aligned crop, or the tar file that holds it; None if there is none."""
        root: Path = self.dataset.layout.root
        if not self.has_crop[row]:
            return None
        if self.tars:
            return root / str(self.tars.names[self.tars.file[row]])
        return root / crop_name(self.labels[self.label[row]], self.face_id(row), bool(self.published[row]))


def stamp_of(path: Path) -> Stamp:
    """What changes when a file is replaced; zeros if there is none."""
    try:
        state = path.stat()
    except OSError:
        return 0, 0, 0
    return state.st_ino, state.st_size, state.st_mtime_ns


def read_faces(root: Path) -> Faces:
    """Read a finished dataset. Raises DatasetError if it is none, is unfinished, damaged, or changes meanwhile."""
    opened = open_manifests(root)
    dataset = Manifests(opened.layout, opened.about, opened.sums, NO_DECISIONS)
    stamp, policy = stamp_of(dataset.layout.about), policy_of(dataset.about, dataset.layout)
    pictures = _joined(
        (rows.select(["source", "label", "faces"]) for rows in dataset.picture_tables()),
        pa.schema([("source", pa.string()), ("label", pa.string()), ("faces", pa.int32())]),
    )
    owner: Rows = np.repeat(np.arange(len(pictures), dtype=np.int32), np.asarray(pictures["faces"].fill_null(0)))
    found = pictures["label"].fill_null("").combine_chunks().dictionary_encode()
    labels: dict[str, int] = {label: at for at, label in enumerate(found.dictionary.to_pylist())}
    parts = [_part(rows, labels) for rows in dataset.face_tables(_columns(dataset))]
    columns = {name: np.concatenate([part[name] for part in parts]) if parts else _EMPTY[name] for name in _EMPTY}
    ids, picture = columns["ids"], owner
    if len(ids) != len(owner):
        raise DatasetError("damaged_dataset", f"The manifests of {root} do not match. Run the build again.")
    codes = pa.chunked_array([part["reasons"] for part in parts], pa.string()).combine_chunks().dictionary_encode()
    patterns = [tuple(one.split(",")) if one else () for one in codes.dictionary.to_pylist()]
    of_rules = [tuple(reason for reason in one if reason != BY_HAND) for one in patterns]
    pattern = np.asarray(codes.indices, np.int32)
    passes = np.array([not one for one in of_rules], bool)
    faces = Faces(
        dataset=dataset,
        policy=policy,
        stamp=stamp,
        ids=ids,
        picture=picture,
        label=columns["label"],
        found=np.asarray(found.indices, np.int32)[owner] if len(owner) else _EMPTY["label"],
        labels=list(labels),
        pattern=pattern,
        patterns=of_rules,
        kept=passes[pattern] if len(pattern) else np.zeros(0, bool),
        published=columns["kept"],
        has_crop=columns["has_crop"],
        sources=pictures["source"].combine_chunks(),
        tars=_tars(dataset, parts),
    )
    faces.check_unchanged()
    return faces


_EMPTY: dict[str, Any] = {
    "ids": np.zeros(0, f"V{ID_BYTES}"),
    "label": np.zeros(0, np.int32),
    "kept": np.zeros(0, bool),
    "has_crop": np.zeros(0, bool),
}


def _columns(dataset: Manifests) -> list[str]:
    of_tars = ["shard", "offset", "size"] if dataset.about.origin.options.outputs.in_tars else []
    return ["face_id", "label", "kept", "reasons", "file_name", *of_tars]


def _part(rows: pa.Table, labels: dict[str, int]) -> dict[str, Any]:
    """The columns of some rows. labels: the number of each label, to which new ones are added."""
    encoded = rows["label"].fill_null("").combine_chunks().dictionary_encode()
    numbers = np.array([labels.setdefault(label, len(labels)) for label in encoded.dictionary.to_pylist()], np.int32)
    part = {
        "ids": _id_bytes(rows["face_id"]),
        "label": numbers[np.asarray(encoded.indices)] if len(rows) else _EMPTY["label"],
        "kept": np.asarray(rows["kept"], bool),
        "has_crop": np.asarray(pc.is_valid(rows["file_name"]), bool),
        "reasons": pc.binary_join(rows["reasons"].combine_chunks(), ","),
    }
    if "shard" in rows.column_names:
        part |= {
            "shard": rows["shard"].combine_chunks().fill_null(""),
            "offset": np.asarray(rows["offset"].fill_null(0), np.int64),
            "size": np.asarray(rows["size"].fill_null(0), np.int64).astype(np.int32),
        }
    return part


def _id_bytes(ids: pa.ChunkedArray) -> npt.NDArray[np.void]:
    """(N,) void of 16 bytes: ids of 32 hex digits as bytes."""
    text = np.asarray(ids.cast(pa.binary()).combine_chunks().cast(pa.binary(2 * ID_BYTES)).to_numpy(False), "S32")
    digits = np.frombuffer(text.tobytes(), np.uint8).reshape(-1, 2 * ID_BYTES)
    values = np.where(digits >= ord("a"), digits - ord("a") + 10, digits - ord("0")).astype(np.uint8)
    return np.ascontiguousarray(values[:, ::2] << 4 | values[:, 1::2]).view(f"V{ID_BYTES}").reshape(-1)


def _tars(dataset: Manifests, parts: list[dict[str, Any]]) -> Tars | None:
    if not dataset.about.origin.options.outputs.in_tars or not parts:
        return None
    shards = pa.chunked_array([part["shard"] for part in parts], pa.string()).combine_chunks().dictionary_encode()
    offset, size = (np.concatenate([part[name] for part in parts]) for name in ("offset", "size"))
    return Tars(shards.dictionary.to_pylist(), np.asarray(shards.indices, np.int32), offset, size)


def _joined(tables: Iterator[pa.Table], schema: pa.Schema) -> pa.Table:
    return pa.concat_tables([schema.empty_table(), *tables])

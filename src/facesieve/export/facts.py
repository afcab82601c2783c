"""What is held of every face while an export chooses: numbers only, some hundred bytes for each face."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.manifests import Manifests
from facesieve.dataset.tables.schema import CROP_HASH
from facesieve.export.split import Hashes, hashes, unit_of
from facesieve.export.where import Condition
from facesieve.quality import pose_bins
from facesieve.records import Floats, Integers, Mask

_POSITIVE = 2**62 - 1
_COLUMNS = ("picture_id", "source", "label", "kept", "file_name", "fitness", "yaw", "pitch", "frame", CROP_HASH)


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """Columns about the N faces of a dataset, in the order of its rows.

    labels: the distinct labels. label: (N,) the index of each face's label. picture, frame: (N,) numbers that are equal
    for faces of one picture or clip, and of one picture or frame. twin: (N,) one that is equal for faces with equal
    crops, -1 if there is none.
    unit: (N, 2) hashes of what a split never divides. order: (N,) a hash of the picture.
    kept, has_crop, fits: whether a face was kept, has a crop, and fulfils the condition. fitness: NaN if not measured.
    pose: (N,) the pose bin, -1 if the pose was not measured.
    """

    labels: tuple[str, ...]
    label: Integers
    picture: Integers
    frame: Integers
    twin: Integers
    unit: Hashes
    order: npt.NDArray[np.uint64]
    kept: Mask
    has_crop: Mask
    fits: Mask
    fitness: Floats
    pose: Integers

    def __len__(self) -> int:
        return len(self.label)


def read_facts(dataset: Manifests, condition: Condition, by: str, seed: int) -> Facts:
    """Read the columns of all faces once. Raises UsageError `bad_where` if the condition does not fit the dataset."""
    schema = dataset.about.origin.face_schema
    condition(schema.empty_table())
    wanted = [name for name in schema.names if name in {*_COLUMNS, *condition.names}]
    codes, unit = dict[str, int](), unit_of(by)
    empty = schema.empty_table().select(wanted)
    parts = [_columns(rows, condition, unit, seed, codes) for rows in chain([empty], dataset.face_tables(wanted))]
    return Facts(tuple(codes), *map(np.concatenate, zip(*parts, strict=True)))


def _columns(
    rows: pa.Table, condition: Condition, unit: Callable[[str, str, str], str], seed: int, codes: dict[str, int]
) -> Sequence[npt.NDArray[np.generic]]:
    labels, pictures, sources = (rows[name].to_pylist() for name in ("label", "picture_id", "source"))
    return (
        np.array([codes.setdefault(label or "", len(codes)) for label in labels], np.int64),
        _numbers(pictures),
        _frames(_numbers(pictures), rows),
        _twins(rows[CROP_HASH].to_pylist()),
        hashes(map(unit, (label or "" for label in labels), pictures, sources), seed),
        hashes(pictures, seed)[:, 0],
        np.asarray(rows["kept"], bool),
        np.asarray(pc.is_valid(rows["file_name"]), bool),
        condition(rows),
        _floats(rows, "fitness"),
        pose_bins(_floats(rows, "yaw"), _floats(rows, "pitch")),
    )


def _floats(rows: pa.Table, name: str) -> Floats:
    if name not in rows.column_names:  # a dataset of an earlier version
        return np.full(len(rows), np.nan)
    return np.asarray(rows[name].fill_null(np.nan), np.float64)


def _numbers(ids: Sequence[str]) -> Integers:
    """A number from 0 for each id of 16 or more hex digits."""
    return (np.frombuffer(bytes.fromhex("".join(one[:16] for one in ids)), ">u8") >> 1).astype(np.int64)


def _frames(pictures: Integers, rows: pa.Table) -> Integers:
    """A number for the picture or the frame of each face; equal for other frames with probability 2**-62 alone."""
    if "frame" not in rows.column_names:
        return pictures
    frames = np.asarray(rows["frame"].cast("int64").fill_null(-1), np.int64)
    mixed = pictures.astype(np.uint64) + (frames + 1).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    return (mixed >> np.uint64(1)).astype(np.int64)


def _twins(found: Sequence[bytes | None]) -> Integers:
    """A number from 0 for each hash of a crop, the same for equal ones; -1 where there is none."""
    numbers = (hash(one) >> 1 & _POSITIVE if one else -1 for one in found)
    return np.fromiter(numbers, np.int64, len(found))

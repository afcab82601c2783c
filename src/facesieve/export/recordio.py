"""`recordio`: record files as ArcFace's trainers read them (InsightFace, `recognition/`), written without MXNet.

    train.rec    records of RecordIO (dmlc-core, `recordio.h`); each is an IRHeader (`mxnet.recordio`) and a picture
    train.idx    number, tab, where the record begins
    train.lst    1 (aligned), tab, name of the picture, tab, number of the class
    property     classes, height, width

Faces are records 1 to N, in the order of their classes. Record 0 has no picture, but the numbers N + 1 and N + 1 + C.
From record N + 1 on, there is a record for each of C classes: the numbers of its first face and of the one after its
last.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np

from facesieve.errors import UsageError
from facesieve.export.columns import values
from facesieve.export.format import Batch, ExportFormat, Item, Order
from facesieve.export.plan import Plan
from facesieve.export.staging import Staging
from facesieve.records import Integers

MAGIC = struct.pack("<I", 0xCED7230A)
HEADER = struct.Struct("<IfQQ")  # flag: how many labels follow, or 0; the label; two halves of the number
_HEAD = np.dtype(
    [("magic", "<u4"), ("length", "<u4"), ("flag", "<u4"), ("class", "<f4"), ("number", "<u8"), ("rest", "<u8")]
)
_AT_ONCE = 128  # records that are written with one call
MOST = 2**24  # records: numbers of records are stored as float32
_LENGTH_BITS = 29
_WHOLE, _START, _MIDDLE, _END = range(4)


def record(data: bytes) -> bytes:
    """A record of RecordIO. It is divided where the data has the magic number at a multiple of four bytes."""
    parts, start = list[bytes](), 0
    at = data.find(MAGIC)
    while at >= 0:
        if at % 4 == 0:
            parts.append(data[start:at])
            start = at + 4
        at = data.find(MAGIC, at + 1)
    parts.append(data[start:])
    kinds = [_WHOLE] if len(parts) == 1 else [_START, *[_MIDDLE] * (len(parts) - 2), _END]
    pieces = (
        MAGIC + struct.pack("<I", kind << _LENGTH_BITS | len(part)) + part
        for kind, part in zip(kinds, parts, strict=True)
    )
    return b"".join(pieces) + bytes(-len(parts[-1]) % 4)


def face_records(first: int, classes: Integers, pictures: Sequence[bytes]) -> tuple[bytes, Integers]:
    """The records of many faces in a row, and the size of each. first: the number of the first. classes: (N,)."""
    heads = np.zeros(len(pictures), _HEAD)
    lengths = HEADER.size + np.fromiter(map(len, pictures), np.int64, len(pictures))
    heads["magic"], heads["length"] = np.frombuffer(MAGIC, "<u4"), lengths
    heads["class"], heads["number"] = classes, np.arange(first, first + len(pictures))
    data, parts = heads.tobytes(), list[bytes]()
    for at, picture in enumerate(pictures):
        head = data[at * _HEAD.itemsize : (at + 1) * _HEAD.itemsize]
        if MAGIC in picture:  # it may have to be divided
            parts += (record(head[2 * 4 :] + picture), b"", b"")
        else:
            parts += (head, picture, bytes(-len(picture) % 4))
    sizes = np.fromiter(map(len, parts), np.int64, len(parts)).reshape(-1, 3).sum(axis=1)
    return b"".join(parts), sizes


def range_record(number: int, first: int, end: int) -> bytes:
    """A record without a picture, with two numbers of records."""
    return record(HEADER.pack(2, 0.0, number, 0) + struct.pack("<2f", first, end))


class _Writer:
    def __init__(self, plan: Plan, out: Staging) -> None:
        self._plan, self._out = plan, out
        self._classes = dict[str, list[tuple[int, int]]]()
        for at, (split, count) in enumerate(plan.selection.counts.items()):
            sizes = np.bincount(plan.selection.number[plan.selection.taken & (plan.selection.split == at)])
            self._classes[split] = [(number, size) for number, size in enumerate(sizes.tolist()) if size]
            if count + 1 + len(self._classes[split]) > MOST:
                raise UsageError(
                    "too_many_records",
                    f"recordio numbers records with float32, so {split!r} cannot have {count:,} faces; choose fewer, or"
                    " the format webdataset.",
                )

    def add(self, batch: Batch, pictures: Iterator[bytes]) -> None:
        records, index, names = (self._out.append_to(f"{batch.split}.{end}") for end in ("rec", "idx", "lst"))
        if not batch.number:
            count, classes = self._plan.selection.counts[batch.split], len(self._classes[batch.split])
            _append(0, range_record(0, count + 1, count + 1 + classes), records, index)
        number, rows, suffix = batch.first + 1, batch.rows.combine_chunks(), self._plan.image.suffix
        for start in range(0, len(rows), _AT_ONCE):
            some = rows.slice(start, _AT_ONCE)
            data, sizes = face_records(number, np.asarray(some["class"], np.int64), list(islice(pictures, len(some))))
            places = records.tell() + np.cumsum(sizes) - sizes
            records.write(data)
            lines = enumerate(places.tolist(), number)
            index.write("".join(f"{at}\t{place}\n" for at, place in lines).encode())
            listed = values(some, ("folder", "face_id", "class"))
            names.write("".join(f"1\t{folder}/{face}.{suffix}\t{of}\n" for folder, face, of in listed).encode())
            number += len(some)

    def finish(self) -> None:
        for split, classes in self._classes.items():
            if not classes:
                continue
            records, index = (self._out.append_to(f"{split}.{suffix}") for suffix in ("rec", "idx"))
            ends = np.cumsum([1, *(size for _, size in classes)]).tolist()
            for number, (first, end) in enumerate(pairwise(ends), ends[-1]):
                _append(number, range_record(number, first, end), records, index)
        side, number = self._plan.size, len(self._classes[self._plan.splits[0]])
        self._out.append_to("property").write(f"{number},{side},{side}\n".encode())


def _append(number: int, data: bytes, records: BinaryIO, index: BinaryIO) -> None:
    index.write(b"%d\t%d\n" % (number, records.tell()))
    records.write(data)


def read(root: Path, plan: Plan) -> Iterator[Item]:
    """Yield the faces, as InsightFace's dataset does: by the index, and by the numbers in record 0."""
    for split, count in plan.selection.counts.items():
        if not count:
            continue
        lines = (line.split("\t") for line in (root / f"{split}.idx").read_text().splitlines())
        offsets = {int(number): int(offset) for number, offset in lines}
        with (root / f"{split}.rec").open("rb") as records, (root / f"{split}.lst").open(encoding="utf-8") as names:
            flag, *_ = HEADER.unpack_from(head := _read(records, offsets[0]))
            end = int(struct.unpack_from("<2f", head, HEADER.size)[0]) if flag else len(offsets)
            for number in range(1, end):
                data = _read(records, offsets[number])
                _, label, found, _ = HEADER.unpack_from(data)
                _, name, listed = next(names).rstrip("\n").split("\t")
                if (found, int(label)) != (number, int(listed)):
                    raise ValueError(f"record {number} of {split}.rec is not what {split}.lst says")
                yield Item(split, Path(name).stem, int(label), data[HEADER.size :])


def _read(stream: BinaryIO, offset: int) -> bytes:
    """The data of the record that begins at an offset."""
    stream.seek(offset)
    parts = list[bytes]()
    while True:
        magic, kind_and_length = stream.read(4), struct.unpack("<I", stream.read(4))[0]
        kind, length = kind_and_length >> _LENGTH_BITS, kind_and_length & ((1 << _LENGTH_BITS) - 1)
        if magic != MAGIC:
            raise ValueError(f"there is no record at {offset}")
        parts.append(stream.read(length))
        stream.seek(-length % 4, 1)
        if kind in (_WHOLE, _END):
            return MAGIC.join(parts)


RECORDIO = ExportFormat(
    "recordio",
    "train.rec, .idx, .lst and property, for ArcFace trainers of InsightFace",
    _Writer,
    read,
    order=Order.CLASSES,
    image="jpeg:95",
    images=("jpeg", "png"),
    labelled=True,
    load="from dataset import MXFaceDataset  # InsightFace, recognition/arcface_torch\n\nfaces = MXFaceDataset(OUT, 0)",
)

"""Record files: their bytes against the published formats, and a reader that shares no code with the writer.

RecordIO: dmlc-core, `include/dmlc/recordio.h` and `src/recordio.cc`. IRHeader: MXNet, `python/mxnet/recordio.py`.
How faces are stored: InsightFace, `recognition/arcface_torch/dataset.py`.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from facesieve.errors import UsageError
from facesieve.export import recordio
from facesieve.export.export import export_dataset
from facesieve.export.recordio import face_records, range_record, record
from facesieve.settings import Settings

MAGIC = bytes.fromhex("0a23d7ce")


def test_a_record_is_magic_length_data_and_padding_to_four_bytes() -> None:
    assert record(b"") == MAGIC + bytes(4)
    assert record(b"abcde") == MAGIC + b"\x05\0\0\0" + b"abcde" + bytes(3)
    assert record(b"abcd") == MAGIC + b"\x04\0\0\0" + b"abcd"


def test_data_that_has_the_magic_number_at_a_multiple_of_four_is_divided_there() -> None:
    whole = record(b"abcd" + MAGIC + b"ef" + MAGIC + b"gh" + MAGIC + MAGIC + b"i")
    # Only the first and the last two are aligned; the second one, at offset 10, is data.
    parts = [(1, b"abcd"), (2, b"ef" + MAGIC + b"gh"), (2, b""), (3, b"i")]
    expected = b"".join(MAGIC + struct.pack("<I", kind << 29 | len(data)) + data for kind, data in parts)
    assert whole == expected + bytes(3)
    assert record(MAGIC) == MAGIC + struct.pack("<I", 1 << 29) + MAGIC + struct.pack("<I", 3 << 29)


def test_a_face_has_the_header_of_mxnet_and_a_range_has_two_labels() -> None:
    pictures = [b"JPEG", b"", MAGIC + b"PNG", b"123" + MAGIC]
    data, sizes = face_records(7, np.array([3, 3, 4, 5]), pictures)
    records = [
        record(struct.pack("IfQQ", 0, float(of_class), number, 0) + picture)
        for number, of_class, picture in zip(range(7, 11), (3, 3, 4, 5), pictures, strict=True)
    ]
    assert data == b"".join(records) and sizes.tolist() == [*map(len, records)]
    assert range_record(0, 44, 54) == record(struct.pack("IfQQ", 2, 0.0, 0, 0) + np.array([44, 54], "<f4").tobytes())


class InsightFaceReader:
    """What MXFaceDataset does, with `struct` and slices alone."""

    def __init__(self, root: Path, name: str) -> None:
        self.data = (root / f"{name}.rec").read_bytes()
        self.index = {}
        for line in (root / f"{name}.idx").read_text().split("\n")[:-1]:
            key, place = line.split("\t")
            self.index[int(key)] = int(place)
        flag, label, _ = self.unpacked(0)
        assert flag > 0
        self.faces = range(1, int(label[0]))
        self.people = range(int(label[0]), int(label[1]))

    def unpacked(self, key: int) -> tuple[int, object, bytes]:
        place, parts, kind = self.index[key], [], 1
        while kind in (1, 2):
            magic, head = struct.unpack("II", self.data[place : place + 8])
            assert magic == 0xCED7230A
            kind, size = head >> 29, head & (2**29 - 1)
            parts.append(self.data[place + 8 : place + 8 + size])
            place += 8 + (size + 3) // 4 * 4
        whole = MAGIC.join(parts)
        flag, label, number, zero = struct.unpack("IfQQ", whole[:24])
        assert (number, zero) == (key, 0)
        if flag:
            return flag, np.frombuffer(whole[24 : 24 + 4 * flag], np.float32), whole[24 + 4 * flag :]
        return flag, label, whole[24:]


@pytest.fixture(scope="module")
def exported(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("recordio") / "out"
    export_dataset(people, "recordio", out, split="train=0.7,val=0.3", settings=Settings.load(export_shard=16))
    return out


def test_a_trainer_finds_every_face_with_its_class_and_every_person_with_a_range(exported: Path, people: Path) -> None:
    reader = InsightFaceReader(exported, "train")
    classes, *size = map(int, (exported / "property").read_text().strip().split(","))
    assert size == [112, 112]
    choice = pq.read_table(exported / "selection.parquet").to_pylist()
    taken = [row for row in choice if row["split"] == "train"]
    assert len(reader.faces) == len(taken) > 20
    lines = [line.split("\t") for line in (exported / "train.lst").read_text(encoding="utf-8").split("\n")[:-1]]
    assert len(lines) == len(taken) and all(len(line) == 3 for line in lines)
    rows = {row["face_id"]: row for row in pq.read_table(people / "faces.parquet").to_pylist()}
    for key, (aligned, name, number) in zip(reader.faces, lines, strict=True):
        flag, label, data = reader.unpacked(key)
        row = rows[Path(name).stem]
        assert (flag, label, aligned) == (0, float(number), "1")
        picture = Image.open(io.BytesIO(data))
        assert (picture.format, picture.size) == ("JPEG", (112, 112))
        crop = np.asarray(Image.open(people / row["file_name"]).convert("RGB")).astype(int)
        assert np.abs(np.asarray(picture).astype(int) - crop).mean() < 3
    labels = [int(line[2]) for line in lines]
    assert set(labels) == set(range(classes)) and labels == sorted(labels)
    starts = []
    for number, key in enumerate(reader.people):
        first, end = map(int, reader.unpacked(key)[1])
        assert {labels[at - 1] for at in range(first, end)} == {number}
        starts.append((first, end))
    assert starts[0][0] == 1 and starts[-1][1] == len(taken) + 1
    assert [end for _, end in starts[:-1]] == [first for first, _ in starts[1:]]


def test_train_and_validation_have_no_person_in_common(exported: Path) -> None:
    train, val = (
        {line.split("\t")[2] for line in (exported / f"{name}.lst").read_text(encoding="utf-8").split("\n")[:-1]}
        for name in ("train", "val")
    )
    assert train and val and not train & val
    assert len(InsightFaceReader(exported, "val").people) == len(val)


def test_more_records_than_float32_can_number_are_refused(people: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(recordio, "MOST", 30)
    with pytest.raises(UsageError) as caught:
        export_dataset(people, "recordio", tmp_path / "out")
    assert caught.value.code == "too_many_records" and not (tmp_path / "out").exists()

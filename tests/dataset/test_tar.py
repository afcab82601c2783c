"""The tar files of crops, alone: their bytes, their names, where they end, and what damage does to them."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from facesieve.dataset.disk import tar
from facesieve.dataset.disk.checksums import checksum_of
from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.disk.picture_names import member_name
from facesieve.dataset.disk.tar import (
    END,
    TarDamagedError,
    is_complete,
    is_intact,
    members_in,
    positions_in,
    read_at,
    tar_name,
    write_member,
)
from facesieve.dataset.tables import tar_layout
from facesieve.dataset.tables.merge import Block
from facesieve.dataset.tables.schema import CROPS, picture_schema
from facesieve.dataset.tables.tar_layout import with_tar_positions

CONTENT = {"Ada/a.png": b"x" * 700, "李雷/b.png": b"", f"{'é' * 50}/c.head.jpg": b"y" * 512}


def tar_of(content: dict[str, bytes], folder: Path) -> Path:
    stream = io.BytesIO()
    for name, data in content.items():
        write_member(name, data, stream)
    path = folder / tar_name((name, checksum_of(data)) for name, data in content.items())
    path.write_bytes(stream.getvalue() + END)
    return path


def test_headers_of_many_members_are_those_of_each_alone() -> None:
    sizes = np.array([0, 1, 511, 512, 8**11 - 1, 24_326, 7], np.int64)
    names = ["000003_ff.png", "é/ü.json", "n" * 100, "a", "b", "", "000003_ff.cls"]
    expected = [tar.member_bytes(name, b"")[:512] for name in names]
    assert [bytes(row) for row in tar.headers(names, np.zeros(7, np.int64))] == expected
    for name, size, row in zip(names, sizes.tolist(), tar.headers(names, sizes), strict=True):
        info = tarfile.TarInfo.frombuf(bytes(row), "utf-8", "strict")
        assert (info.name, info.size, bytes(row)) == (name, size, tar._header(name, size))
    assert tar.headers([], np.zeros(0, np.int64)).shape == (0, 512)


def test_python_and_plain_tar_read_it(tmp_path: Path) -> None:
    path = tar_of(CONTENT, tmp_path)
    with tarfile.open(path, encoding="utf-8") as tar:
        assert {member.name: tar.extractfile(member).read() for member in tar} == CONTENT
    if shutil.which("tar"):
        out = tmp_path / "out"
        out.mkdir()
        subprocess.run(["tar", "xf", path, "-C", out], check=True)
        assert {one.relative_to(out).as_posix(): one.read_bytes() for one in out.rglob("*.*")} == CONTENT


def test_its_members_and_their_places_are_read_back(tmp_path: Path) -> None:
    path = tar_of(CONTENT, tmp_path)
    assert {member.name: member.data for member in members_in(path)} == CONTENT
    assert {place.name: read_at(path, place.offset, place.size) for place in positions_in(path)} == CONTENT
    assert is_complete(path) and is_intact(path)


def test_a_tar_file_without_members_has_only_its_end(tmp_path: Path) -> None:
    path = tar_of({}, tmp_path)
    assert path.read_bytes() == END and is_intact(path) and list(positions_in(path)) == []


def test_the_name_depends_on_names_order_and_bytes() -> None:
    sums = [(name, checksum_of(data)) for name, data in CONTENT.items()]
    other = [sums[0], sums[1], (sums[2][0], checksum_of(b"z" * 512))]
    assert len({tar_name(sums), tar_name(sums[::-1]), tar_name(sums[:2]), tar_name(other)}) == 4


@pytest.mark.parametrize("bit", [1, 128])
def test_a_flipped_bit_anywhere_is_noticed(tmp_path: Path, bit: int) -> None:
    path = tar_of(CONTENT, tmp_path)
    data = path.read_bytes()
    for at in range(0, len(data), 37):
        path.write_bytes(data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :])
        assert not is_intact(path), at


def test_a_tar_file_that_ends_early_is_noticed_and_yields_what_is_before(tmp_path: Path) -> None:
    path = tar_of(CONTENT, tmp_path)
    data = path.read_bytes()
    for length in range(0, len(data), 256):
        path.write_bytes(data[:length])
        assert not is_complete(path) and not is_intact(path)
        with pytest.raises(TarDamagedError):
            list(members_in(path))
        assert [place.name for place in positions_in(path)] == list(CONTENT)[: len(list(positions_in(path)))]
    path.write_bytes(data + b"\0")
    assert not is_intact(path)
    assert not is_complete(tmp_path / "absent.tar")


def faces_of(count: int, seed: int = 0) -> pa.Table:
    """Faces of some sizes, every fifth without a crop."""
    sizes = np.random.default_rng(seed).integers(5_000, 30_000, count)
    ids = [hashlib.md5(f"{index}".encode()).hexdigest() for index in range(count)]
    crops = [[{"sha256": face_id * 2, "size": int(size)}] for face_id, size in zip(ids, sizes, strict=True)]
    names = [None if index % 5 == 4 else member_name("Ada", face_id) for index, face_id in enumerate(ids)]
    return pa.table(
        {"face_id": ids, "label": ["Ada"] * count, "file_name": pa.array(names, pa.string())}
    ).append_column(CROPS.name, pa.array(crops, CROPS.type))


def placed(faces: pa.Table, tar_bytes: int, block: int = 1000) -> pa.Table:
    pictures = picture_schema().empty_table()
    blocks = (Block(faces.slice(at, block), pictures) for at in range(0, len(faces), block))
    return pa.concat_tables([one.faces for one in with_tar_positions(blocks, Outputs(tar_bytes=tar_bytes))])


def test_tar_files_have_about_the_wanted_size() -> None:
    rows = placed(faces_of(5000), 1_000_000).filter(pa.compute.field("shard").is_valid())
    sizes = rows.group_by("shard", use_threads=False).aggregate([("size", "sum")])["size_sum"].to_numpy()
    assert 0.8e6 < sizes[:-1].mean() < 1.2e6
    assert sizes[:-1].min() > 0.45e6 and sizes.max() < 2.1e6


@pytest.mark.parametrize("block", [1, 7, 400, 5000])
def test_the_places_do_not_depend_on_blocks(block: int) -> None:
    faces = faces_of(600)
    assert placed(faces, 200_000, block).equals(placed(faces, 200_000))


def test_a_face_more_or_less_changes_few_tar_files() -> None:
    faces = faces_of(3000)
    before = set(placed(faces, 300_000)["shard"].to_pylist())
    for gone in (0, 777, 1500, 2998):
        fewer = pa.concat_tables([faces.slice(0, gone), faces.slice(gone + 1)])
        after = set(placed(fewer, 300_000)["shard"].to_pylist())
        assert len(after - before) <= 4 and len(before) > 100


def test_faces_without_crops_and_no_faces_have_no_place() -> None:
    faces = faces_of(9).filter(pa.compute.field("file_name").is_null())
    assert placed(faces, 300_000)["shard"].to_pylist() == [None]
    assert list(with_tar_positions([], Outputs(tar_bytes=5000))) == []


def test_faces_before_the_first_crop_of_a_tar_file_are_not_held() -> None:
    faces, pictures = faces_of(4000), picture_schema().empty_table()
    without = faces.set_column(2, "file_name", pa.nulls(len(faces), pa.string()))
    blocks = [Block(rows, pictures) for rows in (*[without] * 40, faces, *[without] * 3)]
    found = [one.faces for one in with_tar_positions(blocks, Outputs(tar_bytes=200_000))]
    assert list(map(len, found[:40])) == [4000] * 40
    rows = pa.concat_tables(found)
    assert rows.select(faces.column_names).equals(pa.concat_tables([block.faces for block in blocks]))
    assert rows["shard"].slice(160_000, 4000).equals(placed(faces, 200_000)["shard"])
    assert rows["shard"].null_count == 43 * 4000 + 800


def test_a_tar_file_ends_before_many_faces_without_a_crop_wait_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar_layout, "_MOST_BARE", 500)
    faces, pictures = faces_of(4000), picture_schema().empty_table()
    without = faces.set_column(2, "file_name", pa.nulls(len(faces), pa.string()))
    rows = pa.concat_tables([faces.slice(0, 10), without, faces.slice(10, 3000), without, faces.slice(3010)])
    taken, held, found = 0, 0, list[pa.Table]()

    def blocks() -> Iterator[Block]:
        nonlocal taken
        for at in range(0, len(rows), 37):
            taken = min(at + 37, len(rows))
            yield Block(rows.slice(at, 37), pictures)

    for block in with_tar_positions(blocks(), Outputs(tar_bytes=2**30)):
        found.append(block.faces)
        held = max(held, taken - sum(map(len, found)))
    assert held < 500 * 5 + 37, "every fifth face has no crop"
    placed_rows = pa.concat_tables(found)
    assert placed_rows.equals(placed(rows, 2**30, 2000)) and placed_rows.select(rows.column_names).equals(rows)
    assert len(placed_rows["shard"].unique().drop_null()) == 4


def test_a_number_is_drawn_once_for_each_face(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = list[bytes]()
    crc32 = tar_layout.zlib.crc32
    monkeypatch.setattr(tar_layout.zlib, "crc32", lambda data: (drawn.append(data), crc32(data))[1])
    placed(faces_of(600), 2**30, block=10)
    assert len(drawn) == 600


@pytest.mark.parametrize(
    "name", ["", "a", "Ada/0.png", "Zoë 😀/1.png", "n" * 99, "n" * 100, "é" * 50, f"{'d' * 60}/{'n' * 60}"]
)
@pytest.mark.parametrize("size", [0, 1, 511, 8**11 - 1])
def test_a_header_has_the_bytes_that_tarfile_writes(name: str, size: int) -> None:
    info = tarfile.TarInfo(name)
    info.size = size
    assert tar._header(name, size) == info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict")

"""Archives are streamed member by member; nothing is extracted, nothing is lost."""

from __future__ import annotations

import gc
import gzip
import io
import pickle
import resource
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from facesieve.decode import decode_one
from facesieve.errors import UsageError
from facesieve.records import Photo, Source
from facesieve.settings import Settings
from facesieve.sources import SourceOptions, find_sources

SETTINGS = Settings()
TARS = {"a.tar": "w", "a.tar.gz": "w:gz", "a.tgz": "w:gz", "a.tar.bz2": "w:bz2", "a.txz": "w:xz"}
NAMES = ["top.png", "anna/1.png", "ben/deep/2", "ben/notes.txt", "__MACOSX/anna/._1.png"]


def bmp(level: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (40, 30), (level, level, level)).save(out, "BMP")
    return out.getvalue()


def outcome(source: Source) -> str | int:
    result = decode_one(source, SETTINGS)
    return int(result.pixels[0, 0, 0]) if isinstance(result, Photo) else result.code


def outcomes(path: Path) -> dict[str, str | int]:
    return {
        source.name.removeprefix(f"{path.as_posix()}!"): outcome(source)
        for source in find_sources([path], SETTINGS).sources
    }


def add(archive: tarfile.TarFile, name: str, data: bytes = b"", **fields: object) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for field, value in fields.items():
        setattr(info, field, value)
    archive.addfile(info, io.BytesIO(data))


def make_tar(path: Path) -> Path:
    with tarfile.open(path, TARS[path.name]) as archive:
        add(archive, "anna", type=tarfile.DIRTYPE)
        for level, name in enumerate(NAMES):
            add(archive, name, bmp(level))
    return path


def make_zip(path: Path, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.mkdir("anna")
        for level, name in enumerate(NAMES):
            archive.writestr(name, bmp(level))
    return path


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder, empty."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_members_are_streamed_whatever_the_method(tmp_path: Path, method: int) -> None:
    path = make_zip(tmp_path / "a.zip", method)
    assert outcomes(path) == {"top.png": 0, "anna/1.png": 1, "ben/deep/2": 2}


def test_a_zip_behind_other_bytes_is_read(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip")
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    assert list(outcomes(path).values()) == [0, 1, 2]


@pytest.mark.parametrize("name", TARS)
def test_tar_members_are_read_however_compressed(tmp_path: Path, scratch: Path, name: str) -> None:
    path = make_tar(tmp_path / name)
    sources = find_sources([path], SETTINGS, SourceOptions("folder")).sources
    assert [outcome(source) for source in pickle.loads(pickle.dumps(sources))] == [0, 1, 2]
    assert [outcome(source) for source in reversed(sources)] == [2, 1, 0]
    assert [source.label for source in sources] == ["", "anna", "deep"]
    assert len(list(scratch.iterdir())) == (name != "a.tar")
    stamp = path.stat().st_mtime_ns
    assert [source.fingerprint.rsplit("-", 1)[0] for source in sources] == [f"{len(bmp(0))}-{stamp}"] * 3
    del sources
    gc.collect()
    assert list(scratch.iterdir()) == []


def test_a_tar_of_the_current_folder_has_the_labels_of_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "dot.tar"
    with tarfile.open(path, "w") as archive:
        for name in ("./top.bmp", "./anna/1.bmp"):
            info = tarfile.TarInfo(name)
            info.size = len(bmp(3))
            archive.addfile(info, io.BytesIO(bmp(3)))
    sources = find_sources([path], SETTINGS, SourceOptions("folder")).sources
    assert [source.label for source in sources] == ["", "anna"]


def test_zip_fingerprints_are_size_and_checksum(tmp_path: Path) -> None:
    source = find_sources([make_zip(tmp_path / "a.zip")], SETTINGS).sources[0]
    assert source.fingerprint == f"{len(bmp(0))}-{zipfile.crc32(bmp(0)):08x}"


EVIL = ["../up.png", "a/../../up.png", "/etc/abs.png", "C:/abs.png", "..\\up.png", "l" * 300 + ".png"]


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_unsafe_names_are_refused_and_nothing_is_written(tmp_path: Path, scratch: Path, kind: str) -> None:
    path = tmp_path / "box" / f"evil.{kind}"
    path.parent.mkdir()
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name in [*EVIL, "good.png"]:
                archive.writestr(name, bmp(5))
    else:
        with tarfile.open(path, "w") as tar:
            for name in [*EVIL, "good.png"]:
                add(tar, name, bmp(5))
    results = outcomes(path)
    assert results.pop("good.png") == 5
    assert set(results.values()) == {"unsafe_name"}
    assert len(results) == len(EVIL)
    assert sorted(tmp_path.rglob("*")) == sorted([path.parent, path, scratch])


def test_an_encrypted_member_is_refused_and_its_neighbours_are_not(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip")
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)  # the second entry is the first picture
    data[at + 8] |= 1
    path.write_bytes(bytes(data))
    assert list(outcomes(path).values()) == ["encrypted", 1, 2]


def test_a_damaged_member_is_refused_and_its_neighbours_are_not(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "a.zip", zipfile.ZIP_STORED)
    data = path.read_bytes()
    at = data.index(bmp(1)) + 500
    path.write_bytes(data[:at] + b"!" + data[at + 1 :])
    assert list(outcomes(path).values()) == [0, "unreadable", 2]


def test_a_zip_bomb_costs_no_more_than_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("zeros", "w") as member:
        for _ in range(200):
            member.write(bytes(1 << 20))
    source = find_sources([path], SETTINGS).sources[0]
    result = decode_one(source, Settings(max_file_bytes=1 << 20))
    assert not isinstance(result, Photo)
    assert result.code == "too_many_bytes"


def test_a_member_twice_is_two_pictures(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        add(archive, "x.png", bmp(1))
        add(archive, "x.png", bmp(2))
    assert [outcome(source) for source in find_sources([tmp_path / "a.tar"], SETTINGS).sources] == [1, 2]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
        zipped.writestr("x.png", bmp(1))
        with pytest.warns(UserWarning):
            zipped.writestr("x.png", bmp(2))
    assert [outcome(source) for source in find_sources([tmp_path / "a.zip"], SETTINGS).sources] == [1, 2]


def test_links_in_a_tar_stand_for_the_member_they_lead_to(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        add(archive, "d/x.png", bmp(6))
        add(archive, "hard.png", type=tarfile.LNKTYPE, linkname="d/x.png")
        add(archive, "d/soft.png", type=tarfile.SYMTYPE, linkname="x.png")
        add(archive, "out.png", type=tarfile.SYMTYPE, linkname="../../etc/passwd")
        add(archive, "pipe", type=tarfile.FIFOTYPE)
    assert list(outcomes(tmp_path / "a.tar").values()) == [6, 6, 6, "outside_tree", "not_a_file"]


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz", "a.txz"])
@pytest.mark.parametrize("data", [b"", b"no archive at all" * 99])
def test_what_is_no_archive_is_one_refusal(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    assert outcomes(tmp_path / name) == {str(tmp_path / name): "bad_archive"}


@pytest.mark.parametrize("name", ["a.tar", "a.tar.gz", "a.txz"])
def test_a_tar_cut_short_yields_the_members_before_and_a_refusal(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    with tarfile.open(path, TARS[name]) as archive:
        for level in range(3):
            noise = bytes((i * i * 31 + i * level) % 251 for i in range(40_000))
            add(archive, f"{level}.bmp", bmp(level) + noise)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.75)])
    results = list(outcomes(path).items())
    assert results[-1] == (str(path), "bad_archive")
    assert results[0] == ("0.bmp", 0)


def test_an_unpacked_tar_is_bounded(tmp_path: Path, scratch: Path) -> None:
    path = make_tar(tmp_path / "a.tgz")
    sources = find_sources([path], Settings(max_unpacked_bytes=7_000)).sources
    assert [file.stat().st_size for file in scratch.iterdir()] == [7_000]
    assert [outcome(source) for source in sources] == [0, "truncated", "bad_archive"]


def test_a_tar_that_ends_between_two_members_too_early_still_says_so(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "a.tgz")
    folder_and_first_member = 512 + 512 + -(-len(bmp(0)) // 512) * 512
    assert [
        outcome(source) for source in find_sources([path], Settings(max_unpacked_bytes=folder_and_first_member)).sources
    ] == [
        0,
        "bad_archive",
    ]
    with gzip.open(path) as stream:
        whole = len(stream.read())
    assert [outcome(source) for source in find_sources([path], Settings(max_unpacked_bytes=whole)).sources] == [0, 1, 2]


def test_a_large_directory_is_read_once_not_once_a_member(tmp_path: Path) -> None:
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(3_000):
            archive.writestr(f"{number:05}.png", b"x")
    began = time.process_time()
    codes = {outcome(source) for source in find_sources([path], SETTINGS).sources}
    assert codes == {"not_an_image"}
    assert time.process_time() - began < 5


def test_no_room_to_unpack_is_no_fault_of_the_archive_and_another_try_reads_it(tmp_path: Path, scratch: Path) -> None:
    path = make_tar(tmp_path / "a.tgz")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, before[1]))
    try:
        with pytest.raises(UsageError) as caught:
            find_sources([path], SETTINGS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.code == "no_temporary_room"
    assert str(path) in caught.value.message and "TMPDIR" in caught.value.message
    assert list(scratch.iterdir()) == []
    assert [outcome(source) for source in find_sources([path], SETTINGS).sources] == [0, 1, 2]


def test_a_temporary_folder_that_is_gone_is_no_fault_of_the_archive(tmp_path: Path, scratch: Path) -> None:
    path = make_tar(tmp_path / "a.tgz")
    scratch.rmdir()
    with pytest.raises(UsageError, match="No such file or directory") as caught:
        find_sources([path], SETTINGS)
    assert caught.value.code == "no_temporary_room"

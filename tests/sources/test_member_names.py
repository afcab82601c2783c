"""Names, folders and links in archives, and entries that lie about themselves."""

from __future__ import annotations

import io
import stat
import struct
import tarfile
import time
import zipfile
import zlib
from pathlib import Path

import pytest
from drawn import look, outcome, png

from facesieve.decode import decode_one
from facesieve.errors import UsageError
from facesieve.settings import Settings
from facesieve.sources import SourceOptions, find_sources


def raw_zip(path: Path, names: list[bytes], flag: int = 0, extra: bytes = b"") -> Path:
    """A zip of pictures whose names are stored as they are."""
    body, directory = b"", b""
    for level, name in enumerate(names):
        data = b"" if name.endswith(b"\\") else png(level)
        crc, size = zlib.crc32(data), len(data)
        common = struct.pack("<HHHHHIIIHH", 20, flag, 0, 0, 0, crc, size, size, len(name), len(extra))
        directory += b"PK\1\2" + struct.pack("<H", 20) + common
        directory += struct.pack("<HHHII", 0, 0, 0, 0, len(body)) + name + extra
        body += b"PK\3\4" + common + name + extra + data
    end = struct.pack("<HHHHIIH", 0, 0, len(names), len(names), len(directory), len(body), 0)
    path.write_bytes(body + directory + b"PK\5\6" + end)
    return path


def named(path: Path, **options: object) -> list[tuple[str, str]]:
    """Name and label of each member."""
    options = {"label_from": "folder"} | options
    return [(s.name.removeprefix(f"{path}!"), s.label) for s in look(path, **options).sources]


@pytest.mark.parametrize(("flag", "option"), [(0, None), (0x800, None), (0x800, "gbk"), (0, "utf-8")])
def test_names_in_utf8_are_read_with_or_without_their_flag(tmp_path: Path, flag: int, option: str | None) -> None:
    path = raw_zip(tmp_path / "a.zip", ["José/1.png".encode(), "山田/1.png".encode()], flag)
    assert named(path, archive_encoding=option) == [("José/1.png", "José"), ("山田/1.png", "山田")]
    assert not [note for note in look(path).notes if "UTF-8" in note]


@pytest.mark.parametrize("encoding", ["gbk", "shift_jis", "cp437", "cp932", "latin-1"])
@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_names_in_other_encodings_are_read_on_request(tmp_path: Path, encoding: str, kind: str) -> None:
    label = "Müller" if encoding in ("cp437", "latin-1") else "山田"
    raw = f"{label}/1.png".encode(encoding)
    if kind == "zip":
        path = raw_zip(tmp_path / "a.zip", [raw, b"plain/1.png"])
    else:
        path = tmp_path / "a.tar"
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT, encoding=encoding) as tar:
            for name in (f"{label}/1.png", "plain/1.png"):
                tar.addfile(tarfile.TarInfo(name))
    assert named(path, archive_encoding=encoding) == [(f"{label}/1.png", label), ("plain/1.png", "plain")]
    assert look(path, archive_encoding=encoding).notes == []
    [note] = look(path).notes
    assert "--archive-encoding" in note
    assert [s.key for s in look(path).sources] == [s.key for s in look(path, archive_encoding=encoding).sources]


def test_the_name_in_utf8_beside_the_stored_one_is_taken(tmp_path: Path) -> None:
    raw = b"\xd5\xc5/1.png"
    name = "张/1.png".encode()
    field = b"\1" + struct.pack("<I", zlib.crc32(raw)) + name
    path = raw_zip(tmp_path / "a.zip", [raw], extra=struct.pack("<HH", 0x7075, len(field)) + field)
    assert named(path) == [("张/1.png", "张")]


def test_an_encoding_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    for name in ("klingon", "hex", ""):
        with pytest.raises(UsageError) as caught:
            look(raw_zip(tmp_path / "a.zip", [b"1.png"]), archive_encoding=name)
        assert caught.value.code == "bad_encoding"


def test_backslashes_separate_folders(tmp_path: Path) -> None:
    names = [b"anna\\1.png", b"ben\\2024\\2.png", b"ben\\", b"__MACOSX\\x.png", b"notes\\a.txt"]
    found = look(raw_zip(tmp_path / "a.zip", names), label_from="folder")
    assert [source.label for source in found.sources] == ["anna", "2024"]
    assert [outcome(source) for source in found.sources] == [0, 1]
    top = look(tmp_path / "a.zip", label_from="top-folder").sources
    assert [source.label for source in top] == ["anna", "ben"]


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_backslash_inside_a_character_of_an_unknown_encoding_hides_no_picture(tmp_path: Path, kind: str) -> None:
    """The second byte of these characters in Shift-JIS is a backslash; what follows one looked like a hidden file."""
    names = [name.encode("shift_jis") for name in ("ソ.png", "表/能.png", "a\\ソ.png")]
    if kind == "zip":
        path = raw_zip(tmp_path / "a.zip", names)
    else:
        path = tmp_path / "a.tar"
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT, encoding="shift_jis") as tar:
            for name in names:
                tar.addfile(tarfile.TarInfo(name.decode("shift_jis")))
    found = look(path, label_from="folder")
    assert len(found.sources) == 3
    assert [source.label == "" for source in found.sources] == [True, False, False]
    assert found.sources[2].label == "a"
    assert "--archive-encoding" in found.notes[0]
    assert not found.left_out.line()
    assert named(path, archive_encoding="shift_jis") == [("ソ.png", ""), ("表/能.png", "表"), ("a\\ソ.png", "a")]


def test_entries_of_folders_are_no_pictures(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.mkdir("anna")
        dos = zipfile.ZipInfo("ben")
        dos.external_attr = 0x10
        archive.writestr(dos, b"")
        unix = zipfile.ZipInfo("carl")
        unix.external_attr = (stat.S_IFDIR | 0o755) << 16
        archive.writestr(unix, b"")
        archive.writestr("anna/1.png", png(1))
    assert named(tmp_path / "a.zip") == [("anna/1.png", "anna")]


def test_every_part_of_a_name_may_be_as_long_as_a_file_system_allows(tmp_path: Path) -> None:
    deep = "/".join(["d" * 255] * 4) + "/1.png"
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(deep, png(1))
        archive.writestr("é" * 127 + "/2.png", png(2))
        archive.writestr("é" * 128 + "/3.png", png(3))
    assert [outcome(source) for source in look(tmp_path / "a.zip").sources] == [1, 2, "unsafe_name"]


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_links_stand_for_members_before_and_after_them(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.addfile(link("anna/first.png", "../.store/aa"))
        info = tarfile.TarInfo(".store/aa")
        info.size = len(png(5))
        tar.addfile(info, io.BytesIO(png(5)))
        tar.addfile(link("ben/hard.png", ".store/aa", tarfile.LNKTYPE))
        tar.addfile(link("ben/chain.png", "../anna/first.png"))
        tar.addfile(link("store", ".store"))
        tar.addfile(link("circle.png", "circle.png"))
        tar.addfile(link("gone.png", "nowhere.png"))
        tar.addfile(link("out.png", "../out.png"))
        tar.addfile(link("abs.png", "/etc/passwd"))
    found = look(tmp_path / "a.tar", label_from="folder").sources
    assert {(s.name.rpartition("!")[2], outcome(s), s.label) for s in found} == {
        ("anna/first.png", 5, "anna"),
        ("ben/hard.png", 5, "ben"),
        ("ben/chain.png", 5, "ben"),
        ("circle.png", "unreadable", ""),
        ("gone.png", "unreadable", ""),
        ("out.png", "outside_tree", ""),
        ("abs.png", "outside_tree", ""),
    }


def test_links_in_a_zip_stand_for_members_too(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, target in (("anna/1.png", "../b/2.png"), ("out.png", "../../x"), ("b/2.png", None)):
            info = zipfile.ZipInfo(name)
            info.external_attr = ((stat.S_IFLNK if target else stat.S_IFREG) | 0o644) << 16
            archive.writestr(info, target or png(6))
    assert [outcome(source) for source in look(tmp_path / "a.zip").sources] == [6, "outside_tree", 6]


def test_a_damaged_header_in_a_tar_does_not_hide_what_follows(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as tar:
        for level in range(3):
            info = tarfile.TarInfo(f"{level}.png")
            info.size = len(png(level))
            tar.addfile(info, io.BytesIO(png(level)))
    data = bytearray(path.read_bytes())
    data[1024 + 10] ^= 0xFF
    path.write_bytes(data)
    assert [outcome(source) for source in look(path).sources] == [0, "bad_archive"]


def test_a_tar_header_that_wants_gigabytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 32
    with path.open("wb") as stream:
        stream.write(info.tobuf(tarfile.GNU_FORMAT))
        stream.truncate(1 << 33)
    assert [outcome(source) for source in look(path).sources] == ["bad_archive"]


# Zips that lie


def bomb(path: Path, entries: int, declared: int, places: int = 1) -> Path:
    """Entries that share the data of a few; `declared` bytes each."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    raw = b"\xff\xd8\xff" + bytes(declared - 3)
    data = packer.compress(raw) + packer.flush()
    crc = zlib.crc32(raw)
    body, offsets = b"", []
    for _ in range(places):
        offsets.append(len(body))
        body += b"PK\3\4" + struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0, crc, len(data), declared, 5, 0) + b"k.jpg" + data
    directory = b"".join(
        b"PK\1\2"
        + struct.pack(
            "<HHHHHHIIIHHHHHII", 20, 20, 0, 8, 0, 0, crc, len(data), declared, 10, 0, 0, 0, 0, 0, offsets[n % places]
        )
        + b"%06d.jpg" % n
        for n in range(entries)
    )
    end = struct.pack("<HHHHIIH", 0, 0, entries, entries, len(directory), len(body), 0)
    path.write_bytes(body + directory + b"PK\5\6" + end)
    return path


def refusals(path: Path, **settings: int) -> tuple[set[str], float]:
    began = time.process_time()
    chosen = Settings(**settings)
    codes = {
        str(getattr(decode_one(s, chosen), "code", "")) for s in find_sources([path], chosen, SourceOptions()).sources
    }
    return codes, time.process_time() - began


def test_entries_that_overlap_are_refused_from_the_directory(tmp_path: Path) -> None:
    codes, took = refusals(bomb(tmp_path / "a.zip", 2000, 8 << 20))
    assert codes == {"bad_archive"}
    assert took < 2


def test_entries_that_reach_into_the_next_one_are_refused(tmp_path: Path) -> None:
    path = raw_zip(tmp_path / "a.zip", [b"1.png", b"2.png", b"3.png"])
    data = path.read_bytes()
    at = data.index(b"PK\1\2") + 20
    for size in (130, 5000):  # into the second; into the directory
        path.write_bytes(data[:at] + struct.pack("<I", size) + data[at + 4 :])
        results = [outcome(source) for source in look(path).sources]
        assert results[0] == "bad_archive"
        assert results[-1] == (2 if size == 130 else "bad_archive")


def test_entries_that_declare_more_than_the_limit_are_refused_from_the_directory(tmp_path: Path) -> None:
    codes, took = refusals(bomb(tmp_path / "a.zip", 1, 8 << 20), max_file_bytes=1 << 20)
    assert codes == {"too_many_bytes"}
    assert took < 1
    assert look(tmp_path / "a.zip").sources[0].fingerprint


def test_all_entries_together_are_bounded(tmp_path: Path) -> None:
    path = bomb(tmp_path / "a.zip", 8, 1 << 20, places=8)
    found = find_sources([path], Settings(max_unpacked_bytes=3 << 20), SourceOptions()).sources
    codes = [getattr(decode_one(source, Settings()), "code", "") for source in found]
    assert codes[3:] == ["too_many_bytes"] * 5
    assert "too_many_bytes" not in codes[:3]


def test_a_zip_that_is_stored_may_be_larger_than_what_may_be_unpacked(tmp_path: Path) -> None:
    path = raw_zip(tmp_path / "a.zip", [b"%d.png" % n for n in range(20)])
    found = find_sources([path], Settings(max_unpacked_bytes=100), SourceOptions()).sources
    assert [outcome(source) for source in found] == list(range(20))


def test_a_temporary_folder_without_room_is_no_fault_of_the_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tarfile.open(tmp_path / "a.tgz", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("1.png"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    with pytest.raises(UsageError, match="temporary folder"):
        look(tmp_path / "a.tgz")

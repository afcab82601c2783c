"""The directory of a zip: only a damaged entry is refused, and a missing entry is reported."""

from __future__ import annotations

import stat
import struct
import time
import zipfile
from pathlib import Path

import pytest
from drawn import look, outcome, png

from facesieve.decode import decode_one
from facesieve.settings import Settings
from facesieve.sources import find_sources

END = b"PK\5\6"


def zipped(path: Path, names: list[str], comment: bytes = b"") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for level, name in enumerate(names):
            archive.writestr(name, png(level))
        archive.comment = comment
    return path


def members(path: Path, **options: object) -> list[tuple[str, str | int]]:
    return [(source.name.removeprefix(f"{path}!"), outcome(source)) for source in look(path, **options).sources]


def put_into(path: Path, at: int, layout: str, *values: int) -> None:
    data = bytearray(path.read_bytes())
    struct.pack_into(layout, data, at, *values)
    path.write_bytes(data)


def test_a_name_that_is_not_the_utf8_it_is_marked_as_costs_no_other_member(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", ["1.png", "é2.png", "3.png"])
    path.write_bytes(path.read_bytes().replace("é".encode(), b"\xe9z"))
    assert [result for _, result in members(path)] == [0, 1, 2]
    assert members(path, archive_encoding="cp1252")[1] == ("éz2.png", 1)
    [note] = look(path).notes
    assert "--archive-encoding" in note


def test_the_size_that_a_refused_entry_declares_costs_no_other_member(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", ["1.png", "2.png", "3.png"])
    directory = path.read_bytes().index(b"PK\1\2")
    put_into(path, directory + 24, "<I", 0xFFFFFFF0)  # the size of 1.png
    found = find_sources([path], Settings(max_unpacked_bytes=1 << 30)).sources
    assert [outcome(source) for source in found] == ["too_many_bytes", 1, 2]


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_a_damaged_link_costs_no_other_member(tmp_path: Path, method: int) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("1.png", png(1))
        link = zipfile.ZipInfo("link.png")
        link.external_attr, link.compress_type = (stat.S_IFLNK | 0o777) << 16, method
        archive.writestr(link, "1.png")
        archive.writestr("2.png", png(2))
    data = bytearray(path.read_bytes())
    data[archive.getinfo("link.png").header_offset + 30 + len("link.png")] ^= 0xFF
    path.write_bytes(data)
    assert members(path) == [("1.png", 1), ("link.png", "unreadable"), ("2.png", 2)]


def test_a_directory_that_claims_to_be_shorter_than_it_is_loses_nothing(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", ["1.png", "2.png", "3.png"])
    end = path.read_bytes().rindex(END)
    put_into(path, end + 12, "<I", 46 + len("1.png"))
    assert members(path) == [("1.png", 0), ("2.png", 1), ("3.png", 2)]


def test_entries_that_the_end_record_counts_and_the_directory_lacks_are_reported(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", ["1.png", "2.png", "3.png"])
    end = path.read_bytes().rindex(END)
    put_into(path, end + 8, "<HH", 4, 4)
    assert members(path) == [("1.png", 0), ("2.png", 1), ("3.png", 2), (str(path), "bad_archive")]


def test_a_damaged_directory_yields_the_entries_before_and_a_refusal(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", ["1.png", "2.png", "3.png"])
    data = path.read_bytes()
    second = data.index(b"PK\1\2", data.index(b"PK\1\2") + 1)
    put_into(path, second, "<H", 0)
    assert members(path) == [("1.png", 0), (str(path), "bad_archive")]


def test_an_end_record_that_counts_too_few_or_only_in_16_bits_loses_nothing(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", ["1.png", "2.png"])
    end = path.read_bytes().rindex(END)
    put_into(path, end + 8, "<HH", 1, 1)
    assert [result for _, result in members(path)] == [0, 1]


def test_a_zip_of_64_bits_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for level in range(2):
            with archive.open(f"{level}.png", "w", force_zip64=True) as member:
                member.write(png(level))
    data = path.read_bytes()
    end, start = data.rindex(END), data.index(b"PK\1\2")
    record = b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, 2, 2, end - start, start)
    locator = b"PK\6\7" + struct.pack("<IQI", 0, end, 1)
    last = END + struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    for prefix in (b"", b"#!/bin/sh\n"):
        path.write_bytes(prefix + data[:end] + record + locator + last)
        assert members(path) == [("0.png", 0), ("1.png", 1)]


def test_only_the_entry_without_the_64_bits_that_it_needs_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", ["1.png", "2.png"])
    put_into(path, path.read_bytes().index(b"PK\1\2") + 42, "<I", 0xFFFFFFFF)
    assert members(path) == [("1.png", "bad_archive"), ("2.png", 1)]


def test_a_comment_may_hold_what_looks_like_an_end_record(tmp_path: Path) -> None:
    for times in (1, 3):
        path = zipped(tmp_path / "a.zip", ["1.png"], comment=(END + bytes(18)) * times)
        assert members(path) == [("1.png", 0)]


def test_a_comment_full_of_end_records_costs_no_time(tmp_path: Path) -> None:
    names = [f"{number}.png" for number in range(2000)]
    plain = zipped(tmp_path / "a.zip", names)
    start = plain.read_bytes().index(b"PK\1\2")
    fake = END + struct.pack("<HHHHIIH", 0, 0, 9999, 9999, 0, start, 0)
    path = zipped(tmp_path / "b.zip", names, comment=fake * 2900)
    began = time.process_time()
    found = look(path).sources
    assert time.process_time() - began < 10
    assert len(found) in (2000, 2001)


def test_an_end_record_behind_bytes_that_are_no_archive_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"x" * 5000 + END + bytes(18))
    assert members(path) == [(str(path), "bad_archive")]


@pytest.mark.parametrize("name", ["2.png/", "2.png\\"])
def test_a_name_that_ends_like_a_folders_and_holds_bytes_is_a_picture(tmp_path: Path, name: str) -> None:
    path = zipped(tmp_path / "a.zip", ["1.png", name])
    assert members(path) == [("1.png", 0), (name, 1)]


SEVERAL = "The file holds several zips, and only one of them was read; split it, or unpack each of them."


def test_of_two_zips_in_one_file_the_last_is_read_and_the_other_is_reported(tmp_path: Path) -> None:
    first = zipped(tmp_path / "a.zip", ["1.png", "2.png"], b"a comment").read_bytes()
    second = zipped(tmp_path / "b.zip", ["3.png"]).read_bytes()
    path = tmp_path / "both.zip"
    for between in (b"", b"\n" * 100):
        path.write_bytes(first + between + second)
        assert members(path) == [("3.png", 0), (str(path), "bad_archive")]
        assert decode_one(look(path).sources[-1], Settings()).message == SEVERAL
    path.write_bytes(first + second + second)
    assert members(path) == [("3.png", 0), (str(path), "bad_archive")]


def test_a_damaged_zip_behind_another_is_reported(tmp_path: Path) -> None:
    first = zipped(tmp_path / "a.zip", ["1.png", "2.png"]).read_bytes()
    second = zipped(tmp_path / "b.zip", ["3.png"]).read_bytes()
    path = tmp_path / "both.zip"
    path.write_bytes(first + second[: second.rindex(END)])
    assert members(path) == [("1.png", 0), ("2.png", 1), (str(path), "bad_archive")]


def test_a_zip_behind_a_program_that_unpacks_it_or_with_a_zip_as_a_member_is_one_zip(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner.zip", ["1.png"]).read_bytes()
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inner.zip", inner)
        archive.writestr("2.png", png(2))
        archive.comment = b"PK\5\6 PK\3\4"
    assert members(path) == [("2.png", 2)]
    path.write_bytes(b"MZ" + b"\0" * 5000 + path.read_bytes())
    assert members(path) == [("2.png", 2)]

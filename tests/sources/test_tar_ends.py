"""Data after the end of a tar are read or reported, and links point where a program that unpacks would put them."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest
from drawn import look, outcome, png


def tarred(path: Path, *members: tuple[str, int | str], kind: bytes = tarfile.LNKTYPE, **how: object) -> Path:
    """A tar of pictures by their grey level, and of links by their target."""
    with tarfile.open(path, "w", **how) as tar:  # type: ignore[call-overload]
        for name, content in members:
            info = tarfile.TarInfo(name)
            data = png(content) if isinstance(content, int) else b""
            if isinstance(content, str):
                info.type, info.linkname = kind, content
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def members(path: Path, **options: object) -> list[tuple[str, str | int]]:
    return [(source.name.removeprefix(f"{path}!"), outcome(source)) for source in look(path, **options).sources]


def packed(path: Path, kind: str) -> Path:
    """The same tar, compressed where the kind says so."""
    if kind == "tar":
        return path
    target = path.with_name(path.name + ".gz")
    target.write_bytes(gzip.compress(path.read_bytes()))
    return target


@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
def test_tars_one_after_another_are_read_as_one(tmp_path: Path, kind: str) -> None:
    first = tarred(tmp_path / "1.tar", ("a.png", 1))
    second = tarred(tmp_path / "2.tar", ("b.png", 2), ("c.png", 3))
    both = tmp_path / "both.tar"
    both.write_bytes(first.read_bytes() + second.read_bytes())
    assert members(packed(both, kind)) == [("a.png", 1), ("b.png", 2), ("c.png", 3)]


@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
def test_a_header_that_was_zeroed_is_reported(tmp_path: Path, kind: str) -> None:
    path = tarred(tmp_path / "a.tar", ("a.png", 1), ("b.png", 2), ("c.png", 3))
    with tarfile.open(path) as tar:
        at = tar.getmembers()[1].offset
    data = path.read_bytes()
    path.write_bytes(data[:at] + bytes(512) + data[at + 512 :])
    path = packed(path, kind)
    assert members(path) == [("a.png", 1), (str(path), "bad_archive")]


def test_bytes_behind_the_end_are_reported(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar", ("a.png", 1))
    path.write_bytes(path.read_bytes() + b"junk" * 1000)
    assert members(path) == [("a.png", 1), (str(path), "bad_archive")]


def test_zeros_behind_the_end_are_the_end(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar", ("a.png", 1))
    path.write_bytes(path.read_bytes() + bytes(3 << 20) + bytes(100))
    assert members(path) == [("a.png", 1)]


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE])
@pytest.mark.parametrize("format_", [tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT])
def test_links_whose_names_are_not_utf8_lead_to_their_member(tmp_path: Path, kind: bytes, format_: int) -> None:
    encoding = "utf-8" if format_ == tarfile.PAX_FORMAT else "gbk"
    target = "张/一.png" if kind == tarfile.LNKTYPE else "../张/一.png"
    path = tarred(
        tmp_path / "a.tar", ("张/一.png", 1), ("李/二.png", target), kind=kind, format=format_, encoding=encoding
    )
    assert members(path, archive_encoding="gbk") == [("张/一.png", 1), ("李/二.png", 1)]
    assert [result for _, result in members(path)] == [1, 1]


def test_a_hard_link_stands_for_the_last_member_before_it(tmp_path: Path) -> None:
    path = tarred(
        tmp_path / "a.tar", ("x.png", 1), ("early.png", "x.png"), ("x.png", 2), ("late.png", "x.png"), ("x.png", 3)
    )
    assert members(path) == [("x.png", 1), ("early.png", 1), ("x.png (2)", 2), ("late.png", 2), ("x.png (3)", 3)]


def test_a_symbolic_link_stands_for_the_last_member_of_all(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar", ("x.png", 1), ("link.png", "x.png"), ("x.png", 2), kind=tarfile.SYMTYPE)
    assert members(path) == [("x.png", 1), ("link.png", 2), ("x.png (2)", 2)]


def test_a_hard_link_may_come_before_its_member_and_may_lead_to_itself(tmp_path: Path) -> None:
    path = tarred(tmp_path / "a.tar", ("early.png", "x.png"), ("x.png", 1), ("self.png", "self.png"))
    assert members(path) == [("early.png", 1), ("x.png", 1), ("self.png", "unreadable")]

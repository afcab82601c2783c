"""A file that is taken over into another dataset where links are not possible."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from facesieve.dataset.disk import link
from facesieve.dataset.disk.checksums import checksum_of
from facesieve.dataset.disk.link import link_file
from facesieve.errors import DatasetError


@pytest.fixture(autouse=True)
def no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*paths: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(link.os, "link", refuse)


@pytest.mark.parametrize("size", [0, 1, 2**20, 2**20 + 1])
def test_a_copy_has_the_bytes_of_the_file(tmp_path: Path, size: int) -> None:
    data = bytes(index % 251 for index in range(size))
    old, new = tmp_path / "old.tar", tmp_path / "new" / "new.tar"
    old.write_bytes(data)
    link_file(old, new, tmp_path / "scratch", frozenset([checksum_of(data)]))
    assert new.read_bytes() == data and new.stat().st_ino != old.stat().st_ino
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_copy_of_a_large_file_takes_little_memory(tmp_path: Path) -> None:
    data = bytes(32 * 2**20)
    (tmp_path / "old.tar").write_bytes(data)
    known = frozenset([checksum_of(data)])
    tracemalloc.start()
    try:
        link_file(tmp_path / "old.tar", tmp_path / "new.tar", tmp_path / "scratch", known)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * 2**20
    assert checksum_of((tmp_path / "new.tar").read_bytes()) in known


def test_a_copy_of_a_damaged_file_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "old.tar").write_bytes(b"damaged")
    with pytest.raises(DatasetError, match=r"old\.tar is damaged") as caught:
        link_file(tmp_path / "old.tar", tmp_path / "new.tar", tmp_path / "scratch", frozenset([checksum_of(b"whole")]))
    assert caught.value.code == "damaged_dataset"
    assert not (tmp_path / "new.tar").exists() and list((tmp_path / "scratch").iterdir()) == []

from __future__ import annotations

from pathlib import Path

import pytest

from facesieve.dataset.disk.checksums import (
    Checksum,
    checksum_of,
    checksum_of_file,
    checksums_by_name,
    read_checksums,
    write_checksums,
)
from facesieve.errors import DatasetError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two names, one of them with two checksums."""
    sums = checksums_by_name(
        [("kept/Ada Lovelace/1.png", checksum_of(b"a")), ("b", checksum_of(b"b")), ("b", checksum_of(b"new b"))]
    )
    write_checksums(sums, tmp_path / "sums" / "0.txt", tmp_path / "scratch")
    return tmp_path / "sums" / "0.txt"


def test_checksums_are_read_back_as_they_were_written(file: Path) -> None:
    assert read_checksums(file) == {
        "kept/Ada Lovelace/1.png": frozenset([checksum_of(b"a")]),
        "b": frozenset([checksum_of(b"b"), checksum_of(b"new b")]),
    }
    assert checksum_of(b"a") == Checksum("ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb", 1)


def test_a_file_and_its_bytes_have_the_same_checksum(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc" * 100_000)
    assert checksum_of_file(tmp_path / "a") == checksum_of(b"abc" * 100_000)
    with pytest.raises(DatasetError, match="Cannot read"):
        checksum_of_file(tmp_path / "none")


def test_a_missing_file_and_an_empty_list_have_no_checksums(tmp_path: Path) -> None:
    assert read_checksums(tmp_path / "none.txt") == {}
    write_checksums({}, tmp_path / "empty.txt", tmp_path)
    assert read_checksums(tmp_path / "empty.txt") == {}


def test_every_bit_flip_in_a_checksum_file_is_noticed(file: Path) -> None:
    good = file.read_bytes()
    for bit in range(0, len(good) * 8, 3):
        bad = bytearray(good)
        bad[bit // 8] ^= 1 << bit % 8
        file.write_bytes(bad)
        with pytest.raises(DatasetError, match="is damaged") as caught:
            read_checksums(file)
        assert caught.value.code == "damaged_dataset"
    for size in range(len(good)):
        file.write_bytes(good[:size])
        with pytest.raises(DatasetError, match="is damaged"):
            read_checksums(file)

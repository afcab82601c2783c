from __future__ import annotations

import os
from pathlib import Path

import pytest

from facesieve.dataset.disk.checksums import Checksums, checksum_of, checksum_of_file, read_checksums
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.replace import NewFile, replace_files

OTHERS: Checksums = {"kept/a/1.png": frozenset([checksum_of(b"crop")])}


class Killed(BaseException):
    pass


def replace(root: Path, one: bytes, two: bytes) -> None:
    layout = Layout(root)
    files = [NewFile(layout.thumbs_of(0), one), NewFile(layout.part(0), two, 10**18)]
    replace_files(files, OTHERS, layout.sums_of(0), layout)


def test_files_and_their_checksum_file_are_written(tmp_path: Path) -> None:
    replace(tmp_path, b"one", b"two")
    layout = Layout(tmp_path)
    assert (layout.thumbs_of(0).read_bytes(), layout.part(0).read_bytes()) == (b"one", b"two")
    assert layout.part(0).stat().st_mtime_ns == 10**18
    listed = {**OTHERS}
    for path, data in ((layout.thumbs_of(0), b"one"), (layout.part(0), b"two")):
        listed[layout.name_of(path)] = frozenset([checksum_of(data)])
    assert read_checksums(layout.sums_of(0)) == listed


def test_without_files_only_the_checksum_file_is_written(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    replace_files([], OTHERS, layout.sums_of(0), layout)
    assert read_checksums(layout.sums_of(0)) == OTHERS


def test_after_every_interruption_each_file_matches_a_listed_checksum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout, interruptions = Layout(tmp_path), 0
    sync = os.fsync
    for stop_at in range(1, 100):
        monkeypatch.setattr(os, "fsync", sync)
        replace(tmp_path, b"one", b"two")
        left = stop_at

        def stopping(descriptor: int) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise Killed
            sync(descriptor)

        monkeypatch.setattr(os, "fsync", stopping)
        try:
            replace(tmp_path, b"other one", b"other two")
        except Killed:
            interruptions += 1
        listed = read_checksums(layout.sums_of(0))
        for path in (layout.thumbs_of(0), layout.part(0)):
            assert checksum_of_file(path) in listed[layout.name_of(path)], f"stopped at sync {stop_at}"
        if left > 0:
            break
    assert interruptions > 10
    assert all(len(known) == 1 for known in listed.values()), "old checksums stay listed only until all is written"

"""A file whose part cannot be opened is closed at once."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import BinaryIO

import pytest

from facesieve.sources import openers
from facesieve.sources.openers import Slice, ZipMember, open_file


@pytest.mark.parametrize("opener", ["slice", "offset", "method"])
def test_a_part_that_cannot_be_opened_leaves_no_file_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opener: str
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x" * 100)
    opened: list[BinaryIO] = []

    def recorded(path: str) -> BinaryIO:
        opened.append(open_file(path))
        return opened[-1]

    monkeypatch.setattr(openers, "open_file", recorded)
    part = {
        "slice": Slice(str(path), 1 << 64, 10),
        "offset": ZipMember(str(path), 1 << 64, zipfile.ZIP_STORED, 10, 10, 0),
        "method": ZipMember(str(path), 0, 97, 10, 10, 0),
    }[opener]
    with pytest.raises((OverflowError, ValueError, NotImplementedError)):
        part()
    assert [stream.closed for stream in opened] == [True]

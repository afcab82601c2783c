"""A file that is named like a list and is something else is one short sentence that says what it is."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from drawn import look, outcome, png, put

from facesieve.errors import UsageError

LIST = b"path,label\n1.png,Anna\n"


def zipped(path: Path, *names: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "<x/>")


def database(path: Path) -> None:
    made = sqlite3.connect(path)
    made.execute("create table faces (path text)")
    made.commit()
    made.close()


def tarred(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("1.png"), io.BytesIO())


FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "gzip": (lambda path: path.write_bytes(gzip.compress(LIST)), "a gzip file"),
    "xz": (lambda path: path.write_bytes(lzma.compress(LIST)), "an xz file"),
    "bzip2": (lambda path: path.write_bytes(bz2.compress(LIST)), "a bzip2 file"),
    "zip": (lambda path: zipped(path, "list.csv"), "a zip archive"),
    "workbook": (lambda path: zipped(path, "[Content_Types].xml", "xl/workbook.xml"), "an Office document"),
    "old workbook": (
        lambda path: path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)),
        "an Office document",
    ),
    "tar": (tarred, "a tar archive"),
    "Parquet": (lambda path: pq.write_table(pa.table({"path": ["1.png"]}), path), "a Parquet file"),
    "Arrow": (lambda path: pyarrow.feather.write_feather(pa.table({"path": ["1.png"]}), str(path)), "an Arrow file"),
    "database": (database, "an SQLite database"),
    "picture": (lambda path: path.write_bytes(png(1)), "a picture"),
    "noise": (lambda path: path.write_bytes(random.Random(1).randbytes(3000)), "not text"),
}


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".parquet"])
@pytest.mark.parametrize("kind", FILES)
def test_a_binary_file_named_as_a_list_is_one_short_sentence(tmp_path: Path, kind: str, suffix: str) -> None:
    write, what = FILES[kind]
    path = tmp_path / f"list{suffix}"
    write(path)
    if (kind, suffix) == ("Parquet", ".parquet"):
        assert len(look(path).sources) == 1
        return
    with pytest.raises(UsageError) as caught:
        look(path)
    if (kind, suffix) == ("noise", ".parquet"):
        assert caught.value.code == "unreadable_list"
        return
    assert caught.value.code == "bad_list"
    said = caught.value.message.removeprefix(str(path))
    assert said.startswith(f" is {what}, although its name ends in {suffix}; ")
    assert len(said) < 120 and said.isprintable() and said.isascii()


@pytest.mark.parametrize("start", ["BZh", "PAR1", "GIF8", "%PDF-", "ARROW1"])
def test_a_path_that_begins_like_a_binary_file_is_a_path(tmp_path: Path, start: str) -> None:
    put(tmp_path / f"{start}.png", 3)
    (tmp_path / "l.txt").write_text(f"{start}.png\n")
    assert [outcome(source) for source in look(tmp_path / "l.txt").sources] == [3]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "gbk", "shift_jis", "iso2022_jp"])
def test_text_in_any_encoding_is_not_called_binary(tmp_path: Path, encoding: str) -> None:
    put(tmp_path / "1.png", 1)
    (tmp_path / "l.csv").write_bytes("path,label\n1.png,日本\n".encode(encoding))
    assert [outcome(source) for source in look(tmp_path / "l.csv").sources] == [1]


def test_a_few_control_characters_cost_only_their_row(tmp_path: Path) -> None:
    put(tmp_path / "1.png", 1)
    (tmp_path / "l.txt").write_bytes(b"1.png\n\0\n")
    assert [outcome(source) for source in look(tmp_path / "l.txt").sources] == [1, "bad_row"]


def test_an_empty_list_is_not_called_binary(tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_bytes(b"")
    with pytest.raises(UsageError) as caught:
        look(tmp_path / "l.txt")
    assert caught.value.code == "empty_source"

"""The identity of a source is the raw bytes of its absolute path; the name that is shown is another thing."""

from __future__ import annotations

import os
import tarfile
import unicodedata
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from drawn import labels, look, outcome, png, put

from facesieve.errors import UsageError
from facesieve.records import displayed
from facesieve.run.plan import unique
from facesieve.sources import as_sources
from facesieve.sources.identity import former_identity, identity_of_member, identity_of_row

NFC, NFD = unicodedata.normalize("NFC", "café.png"), unicodedata.normalize("NFD", "café.png")


def keys(*arguments: str | Path) -> list[bytes]:
    return [source.key for source in look(*arguments).sources]


@pytest.mark.parametrize(
    "names", [(NFC, NFD), ("x\ny.png", "x\\ny.png"), ("caf\udce9.png", "caf\\xe9.png"), ("a", "A")]
)
def test_two_files_whose_names_look_alike_are_two_sources(tmp_path: Path, names: tuple[str, str]) -> None:
    for level, name in enumerate(names):
        put(tmp_path / name, level)
    found = unique(look(tmp_path).sources)
    assert sorted(outcome(source) for source in found) == [0, 1]
    assert {source.key for source in found} == {os.fsencode(tmp_path / name) for name in names}


def test_one_relative_name_from_two_folders_is_two_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for level, folder in enumerate(("x", "y")):
        put(tmp_path / folder / "photos" / "1.png", level)
        monkeypatch.chdir(tmp_path / folder)
        found += look("photos").sources
    assert [source.name for source in found] == ["photos/1.png"] * 2
    assert [source.key for source in found] == [os.fsencode(tmp_path / f / "photos/1.png") for f in ("x", "y")]


def test_all_spellings_of_one_path_are_one_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "photos" / "1.png")
    (tmp_path / "list.txt").write_text("photos/../photos/1.png\n./photos//1.png\n")
    monkeypatch.chdir(tmp_path)
    spellings = ["photos", "./photos/", tmp_path / "photos", "photos/../photos/1.png", "phot*/*", "list.txt"]
    assert {key for spelling in spellings for key in keys(spelling)} == {os.fsencode(tmp_path / "photos" / "1.png")}
    assert len(look(*spellings).sources) == 1
    assert as_sources(["photos/1.png"])[0].key == os.fsencode(tmp_path / "photos" / "1.png")


def test_the_way_up_from_a_link_is_the_file_systems(tmp_path: Path) -> None:
    put(tmp_path / "far" / "1.png", 1)
    put(tmp_path / "near" / "1.png", 2)
    (tmp_path / "far" / "folder").mkdir()
    (tmp_path / "near" / "link").symlink_to(tmp_path / "far" / "folder")
    one, two = look(tmp_path / "near" / "link" / ".." / "1.png", tmp_path / "near" / "1.png").sources
    assert [outcome(one), outcome(two)] == [1, 2]
    assert one.key == os.fsencode(tmp_path / "far" / "1.png")


def test_a_link_and_its_target_are_two_sources(tmp_path: Path) -> None:
    put(tmp_path / "1.png")
    (tmp_path / "2.png").symlink_to("1.png")
    assert keys(tmp_path) == [os.fsencode(tmp_path / name) for name in ("1.png", "2.png")]


@pytest.mark.parametrize(
    "name",
    ["山田　太郎.png", "at 3.05\u202fPM.png", "Snímek v\u00a013.png", "👩‍🔬.png", NFD, "a\\b.png", "\u202ea.png"],
)
def test_a_name_that_is_text_stays_a_path(tmp_path: Path, name: str) -> None:
    put(tmp_path / name)
    [source] = look(tmp_path).sources
    assert Path(source.name) == tmp_path / name
    assert Path(source.name).exists()


def test_only_control_characters_and_bytes_that_are_no_text_are_escaped() -> None:
    assert displayed("a\tb\x1b[0m\x85\x7f") == "a\\tb\\x1b[0m\\x85\\x7f"
    assert displayed("caf\udce9　.jpg") == "caf\\xe9　.jpg"
    assert displayed("\ud800") == "\\ud800"


def test_a_label_stays_as_it_is(tmp_path: Path) -> None:
    put(tmp_path / "山田　太郎" / "1.png")
    put(tmp_path / "Zo\u200dé" / "1.png")
    assert sorted(labels(tmp_path, label_from="folder").values()) == sorted(["山田　太郎", "Zo\u200dé"])


def test_one_label_in_two_spellings_is_reported(tmp_path: Path) -> None:
    for form in ("NFC", "NFD"):
        put(tmp_path / unicodedata.normalize(form, "José") / "1.png")
    found = look(tmp_path, label_from="folder")
    assert len(unique(found.sources)) == 2
    assert found.notes == ["label 'José' is spelled in 2 ways (composed and decomposed); they are one label"]


def test_one_picture_under_two_labels_is_an_error(tmp_path: Path) -> None:
    put(tmp_path / "group.png")
    (tmp_path / "l.csv").write_text(f"path,label\ngroup.png,Anna\n{tmp_path}/group.png,Grace\n")
    with pytest.raises(UsageError, match="two labels: 'Anna' and 'Grace'") as caught:
        unique(look(tmp_path / "l.csv").sources)
    assert caught.value.code == "two_labels"


def test_a_picture_that_one_argument_labels_and_another_does_not_has_its_label(tmp_path: Path) -> None:
    put(tmp_path / "1.png")
    (tmp_path / "l.csv").write_text("path,label\n1.png,Anna\n")
    for arguments in ((tmp_path / "1.png", tmp_path / "l.csv"), (tmp_path / "l.csv", tmp_path / "1.png")):
        assert [source.label for source in look(*arguments).sources] == ["Anna"]


def test_a_member_name_twice_is_two_sources_and_the_later_is_marked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
        zipped.writestr("x.png", png(1))
        with pytest.warns(UserWarning):
            zipped.writestr("x.png", png(2))
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for level in (1, 2):
            put(tmp_path / "x.png", level)
            tar.add(tmp_path / "x.png", "x.png")
    for name in ("a.zip", "a.tar"):
        found = look(tmp_path / name)
        assert [outcome(source) for source in unique(found.sources)] == [1, 2]
        assert [source.name for source in found.sources] == [f"{tmp_path / name}!x.png", f"{tmp_path / name}!x.png (2)"]
        assert found.notes == [f"{tmp_path / name}: 1 member has the name of an earlier one; a number was added to it"]


def test_a_file_that_is_called_like_a_member_is_another_source(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
        zipped.writestr("x.png", png(1))
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        put(tmp_path / "x.png", 2)
        tar.add(tmp_path / "x.png", "x.png")
    for level, name in enumerate(("a.zip", "a.tar"), 1):
        beside = put(tmp_path / f"{name}!x.png", 9)
        found = unique(look(tmp_path / name, beside).sources)
        assert sorted(outcome(source) for source in found) == [level, 9]
        assert len({source.name for source in found}) == 1


def test_a_file_that_is_called_like_a_row_is_another_source(tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("path,label\n,Anna\n")
    pq.write_table(pa.table({"image": [png(1)]}), tmp_path / "l.parquet")
    for name, row, expected in (("l.csv", 2, "bad_row"), ("l.parquet", 1, 1)):
        found = look(tmp_path / name, put(tmp_path / f"{name}:{row}", 9)).sources
        assert [outcome(source) for source in found] == [expected, 9]
        assert len({source.key for source in found}) == 2


@pytest.mark.parametrize("odd", [b"x.png\x002", b"x.png\0", b"x.png\0 (2)", b"\0x.png", b"x.png (2)"])
def test_no_stored_name_is_taken_for_the_number_of_another_member(tmp_path: Path, odd: bytes) -> None:
    stand_in = "?" * len(odd)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
        for name in ("x.png", stand_in):
            zipped.writestr(name, png(1))
        with pytest.warns(UserWarning):
            zipped.writestr("x.png", png(2))
    data = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(data.replace(stand_in.encode(), odd))
    found = look(tmp_path / "a.zip").sources
    assert len({source.key for source in found}) == len(found) == 3
    assert [outcome(source) for source in found][0::2] == [1, 2]


@pytest.mark.parametrize(
    ("identity", "former"),
    [
        (identity_of_member(b"/a.zip", b"d/x.png", 1), b"/a.zip!d/x.png"),
        (identity_of_member(b"/a.zip", b"d/x.png", 12), b"/a.zip!d/x.png\x0012"),
        (identity_of_member(b"/a.zip", b"x\0y", 1), b"/a.zip!x\0y"),
        (identity_of_member(b"/a.zip", b"x\0y", 2), b"/a.zip!x\0y\x002"),
        (identity_of_row(b"/l.csv", 7), b"/l.csv:7"),
        (b"/a.zip!d/x.png", b""),
    ],
)
def test_an_identity_without_nul_bytes_is_remembered(identity: bytes, former: bytes) -> None:
    assert former_identity(identity) == former

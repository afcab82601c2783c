"""Files and folders that are no pictures are left out and counted."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
from drawn import SETTINGS, look, outcomes, png, put

from facesieve.decode import decode
from facesieve.errors import UsageError
from facesieve.records import Refusal
from facesieve.sources import LeftOut, SourceOptions, find_sources


def dataset(root: Path, finished: bool = True) -> Path:
    put(root / "kept" / "anna" / "crop.png")
    put(root / "marked" / "anna" / "marked.png")
    if finished:
        (root / "dataset.json").write_text("{}")
        (root / "faces.parquet").touch()
    else:
        (root / ".facesieve").mkdir()
    return root


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    put(tmp_path / "photos" / "anna" / "1.png", 1)
    put(tmp_path / "photos" / "2.png", 2)
    return tmp_path / "photos"


@pytest.mark.parametrize("finished", [True, False])
def test_datasets_made_by_facesieve_are_left_out_wherever_they_lie(photos: Path, finished: bool) -> None:
    for place in ("ds", "anna/ds", "deep/er/ds"):
        dataset(photos / place, finished)
    for arguments in ([photos], list(photos.iterdir()), [str(photos / "*")]):
        found = look(*arguments)
        assert sorted(Path(source.name).name for source in found.sources) == ["1.png", "2.png"]
        assert found.left_out == LeftOut(datasets=3)
    found = look(str(photos / "**" / "*.png"))
    assert (len(found.sources), found.left_out.datasets) == (2, 3)


def test_a_dataset_behind_a_link_is_left_out_too(photos: Path, tmp_path: Path) -> None:
    dataset(tmp_path / "elsewhere")
    (photos / "link").symlink_to(tmp_path / "elsewhere")
    for follow in (False, True):
        found = look(photos, follow_links=follow)
        assert (len(found.sources), found.left_out.datasets) == (2, 1)


def test_the_dataset_that_is_written_is_not_entered_however_it_is_called(photos: Path, tmp_path: Path) -> None:
    dataset(photos / "out")
    (tmp_path / "link").symlink_to(photos)
    for output in (photos / "out", tmp_path / "link" / "out", photos / "anna" / ".." / "out"):
        found = find_sources([photos, str(photos / "**/*.png")], SETTINGS, SourceOptions(), [output])
        assert (len(found.sources), found.left_out) == (2, LeftOut())


def test_a_dataset_named_alone_is_an_error_that_says_so_and_its_crops_can_be_named(tmp_path: Path) -> None:
    root = dataset(tmp_path / "ds")
    with pytest.raises(UsageError, match="left out: 1 dataset made by FaceSieve") as caught:
        look(root)
    assert caught.value.code == "empty_source"
    assert outcomes(root / "kept") == {"crop.png": 0}


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_datasets_in_archives_are_left_out(photos: Path, tmp_path: Path, kind: str) -> None:
    dataset(photos / "ds")
    dataset(photos / "anna" / "ds", finished=False)
    put(photos / "anna" / "ds" / ".facesieve" / "x.png")
    put(photos / "@eaDir" / "1.png")
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in sorted(photos.rglob("*")):
                archive.write(file, file.relative_to(tmp_path))
    else:
        with tarfile.open(path, "w") as tar:
            tar.add(photos, "photos")
    found = look(path)
    assert sorted(source.name.rpartition("!")[2] for source in found.sources) == ["photos/2.png", "photos/anna/1.png"]
    assert found.left_out == LeftOut(datasets=2, system_folders=1)


SYSTEM = [
    *("@eaDir", "#recycle", "$RECYCLE.BIN", ".Trash-1000", ".Trashes", ".Trash", ".thumbnails", "lost+found"),
    *("#snapshot", "System Volume Information", "@Recycle", "__MACOSX", "RECYCLER", ".recycle"),
]


@pytest.mark.parametrize("name", SYSTEM)
def test_folders_of_trash_cans_and_nas_systems_are_left_out_and_counted(photos: Path, name: str) -> None:
    put(photos / "anna" / name / "1.png" / "SYNOPHOTO_THUMB_M.jpg", 9)
    for argument in (photos, str(photos / "**" / "*.*")):
        found = look(argument)
        assert (len(found.sources), found.left_out) == (2, LeftOut(system_folders=1))
    assert len(look(photos, include_hidden=True).sources) == 3


def test_hidden_names_are_left_out_and_counted_and_taken_on_request(photos: Path) -> None:
    put(photos / ".hidden.png", 5)
    put(photos / ".folder" / "6.png", 6)
    found = look(photos)
    assert (len(found.sources), found.left_out) == (2, LeftOut(hidden=2))
    assert outcomes(photos, include_hidden=True) == {"1.png": 1, "2.png": 2, ".hidden.png": 5, "6.png": 6}
    assert len(look(str(photos / "*"), include_hidden=True).sources) == 4


def test_text_and_leftovers_are_counted(photos: Path) -> None:
    for name in ("notes.txt", "Thumbs.db", ".DS_Store", "._1.png", "x.JSON"):
        (photos / name).touch()
    assert look(photos).left_out == LeftOut(other_files=5)
    assert look(photos, include_hidden=True).left_out == LeftOut(other_files=5)


def test_what_was_left_out_is_one_line() -> None:
    assert LeftOut().line() == ""
    assert LeftOut(1, 2, 1, 3).line() == (
        "left out: 1 dataset made by FaceSieve, 2 trash or system folders, 1 hidden file or folder"
        " (--include-hidden takes them), 3 files of text or data"
    )


def test_text_alone_is_counted_and_not_reported(photos: Path) -> None:
    (photos / "notes.txt").touch()
    assert look(photos).lines() == []
    put(photos / ".hidden.png")
    assert look(photos).lines() == [
        "left out: 1 hidden file or folder (--include-hidden takes them), 1 file of text or data"
    ]


# What a shell makes of `folder/*`


@pytest.fixture
def mixed(photos: Path) -> Path:
    (photos / "notes.txt").write_text("Photos of Anna, 2024\n")
    (photos / "people.csv").write_text("name,age\nanna,30\n")
    (photos / "broken.parquet").write_text("no")
    (photos / "Thumbs.db").touch()
    return photos


@pytest.mark.parametrize("shell", [True, False])
def test_a_star_in_a_folder_takes_the_same_as_the_folder(mixed: Path, shell: bool) -> None:
    arguments = sorted(mixed.glob("*")) if shell else [str(mixed / "*")]
    found = look(*arguments)
    assert [source.name for source in found.sources] == [str(mixed / "2.png"), str(mixed / "anna" / "1.png")]
    assert found.left_out == LeftOut(other_files=4)
    assert f"{mixed}/notes.txt names no picture, and was not read as a list" in found.notes


def test_a_star_dot_star_does_too(mixed: Path) -> None:
    found = look(*sorted(mixed.glob("*.*")))
    assert [source.name for source in found.sources] == [str(mixed / "2.png")]


def test_a_list_among_all_files_of_a_folder_is_still_a_list(photos: Path) -> None:
    (photos / "people.csv").write_text("path,label\nanna/1.png,Anna\n")
    found = look(*sorted(photos.glob("*")))
    assert [(Path(s.name).name, s.label) for s in found.sources] == [("2.png", ""), ("1.png", "Anna")]


def test_a_list_or_leftover_that_is_named_itself_is_taken(mixed: Path) -> None:
    assert outcomes(mixed / "notes.txt") == {"Photos of Anna, 2024": "unreadable"}
    assert outcomes(mixed / "2.png", mixed / "Thumbs.db") == {"2.png": 2, "Thumbs.db": "empty"}
    with pytest.raises(UsageError, match=r"has no column called .* It has: name, age") as caught:
        look(mixed / "2.png", mixed / "people.csv")
    assert caught.value.code == "bad_list"


def test_pictures_hidden_in_an_archive_are_taken_on_request(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for at, name in enumerate((".h/1.png", "2.png", "x/.3.png")):
            archive.writestr(name, png(at))
    assert look(tmp_path / "a.zip").left_out == LeftOut(hidden=2)
    assert len(look(tmp_path / "a.zip", include_hidden=True).sources) == 3


def test_archives_in_a_folder_and_in_an_archive_are_counted_with_the_way_to_take_them(tmp_path: Path) -> None:
    (tmp_path / "albums").mkdir()
    for name in ("a.zip", "b.TAR.GZ"):
        with zipfile.ZipFile(tmp_path / "albums" / name, "w") as archive:
            archive.writestr("1.png", b"x")
            archive.writestr("inner.zip", b"x")
    assert look(tmp_path / "albums" / "a.zip").left_out == LeftOut(archives=1)
    message = r"left out: 2 archives .* name local ones as SOURCES: albums/\*\.zip"
    with pytest.raises(UsageError, match=message) as caught:
        look(tmp_path / "albums")
    assert caught.value.code == "empty_source"
    shutil.copy(tmp_path / "albums" / "a.zip", tmp_path / "albums" / "p.png")
    assert look(tmp_path / "albums").lines() == [
        "left out: 2 archives inside a folder, archive or bucket"
        " (they are not opened; name local ones as SOURCES: albums/*.zip)"
    ]


def test_the_output_folder_as_source_is_reported(tmp_path: Path, astronaut: Path) -> None:
    shutil.copy(astronaut, tmp_path / "1.png")
    with pytest.raises(UsageError, match="is the output folder itself") as caught:
        find_sources([tmp_path], SETTINGS, SourceOptions(), leave_out=[tmp_path])
    assert caught.value.code == "empty_source"


def test_what_is_not_there_is_distinguished_from_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("path\nnowhere.png\nlink.png\n")
    (tmp_path / "link.png").symlink_to("gone.png")
    found = look(tmp_path / "list.csv").sources
    said = [(one.code, one.message) for one in decode(found, SETTINGS).results if isinstance(one, Refusal)]
    assert said == [
        ("unreadable", "There is no such file."),
        ("unreadable", "The link is broken: its target does not exist."),
    ]

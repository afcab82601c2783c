"""`--prune` removes only what a build has seen to be gone."""

from __future__ import annotations

import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def here(tmp_path: Path, astronaut: Path, hopper: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with `photos`, two photos in it and one in a folder below."""
    monkeypatch.chdir(tmp_path)
    Path("photos/usb").mkdir(parents=True)
    shutil.copy(astronaut, "photos/0.png")
    for name in ("1.jpg", "usb/2.jpg"):
        Path("photos", name).write_bytes(hopper.read_bytes() + name.encode())  # other bytes, the same picture
    return tmp_path


def build(run: Run, *arguments: str) -> list[str]:
    """The sources of the dataset after a build."""
    run("build", *arguments, "-o", "out", "-q", "--setting", "pose=geometric")
    names: list[str] = pq.read_table("out/pictures.parquet")["source"].to_pylist()
    return names


def test_a_glob_prunes_what_it_names_and_not_what_lies_in_folders_beside(run: Run, here: Path) -> None:
    shutil.copy("photos/1.jpg", "photos/3.jpg")
    with Path("photos/3.jpg").open("ab") as photo:
        photo.write(b"3")
    assert len(build(run, "photos")) == 4
    Path("photos/1.jpg").unlink()
    Path("photos/usb").rename("away")  # a disk that is not mounted now
    assert build(run, "photos/*.jpg", "--prune") == ["photos/0.png", "photos/3.jpg", "photos/usb/2.jpg"]
    assert build(run, "photos/*", "--prune") == ["photos/0.png", "photos/3.jpg"]


def test_what_an_option_no_longer_takes_stays(run: Run, here: Path) -> None:
    Path("photos/usb").rename("photos/.hidden")
    assert len(build(run, "photos", "--include-hidden")) == 3
    assert len(build(run, "photos", "--prune")) == 3
    shutil.rmtree("photos/.hidden")
    assert len(build(run, "photos", "--prune")) == 2


@pytest.mark.parametrize("name", ["a.zip", "a.tar"])
def test_members_of_an_archive_that_cannot_be_read_whole_stay(run: Run, here: Path, name: str) -> None:
    if name == "a.zip":
        with zipfile.ZipFile(name, "w") as archive:
            for photo in sorted(Path("photos").rglob("*.*g")):
                archive.write(photo)
    else:
        with tarfile.open(name, "w") as packed:
            packed.add("photos")
    assert len(build(run, name)) == 3
    whole = Path(name).read_bytes()
    Path(name).write_bytes(whole[: len(whole) // 2])
    members = [source for source in build(run, name, "--prune") if source.endswith("g")]
    assert len(members) == 3
    Path(name).write_bytes(whole)
    assert len(build(run, name, "--prune")) == 3


def test_members_that_a_whole_archive_no_longer_has_go(run: Run, here: Path) -> None:
    for photos in (["photos/0.png", "photos/1.jpg"], ["photos/0.png"]):
        with zipfile.ZipFile("a.zip", "w") as archive:
            for photo in photos:
                archive.write(photo)
        assert len(build(run, "a.zip", "--prune")) == len(photos)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everywhere")
def test_a_folder_that_cannot_be_listed_keeps_its_rows(run: Run, here: Path) -> None:
    assert len(build(run, "photos")) == 3
    Path("photos/usb").chmod(0)
    try:
        assert "photos/usb/2.jpg" in build(run, "photos", "--prune")
    finally:
        Path("photos/usb").chmod(0o755)


# Lists of paths


def write(*lines: str, name: str = "l.txt") -> None:
    Path(name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


ALL = ["photos/0.png", "photos/1.jpg", "photos/usb/2.jpg"]


@pytest.mark.parametrize("name", ["l.txt", "l.csv", "l.jsonl"])
def test_a_line_that_was_removed_from_a_list_is_reported_and_pruned(run: Run, here: Path, name: str) -> None:
    def row(path: str) -> str:
        return f'"{path}"' if name == "l.jsonl" else path

    write(*map(row, ALL), name=name)
    assert build(run, name) == ALL
    write(*map(row, ALL[:2]), name=name)
    _, _, told = run("build", name, "-o", "out", "-q", "--setting", "pose=geometric")
    assert "gone from the sources: 1 file (photos/usb/2.jpg); kept in the dataset (--prune removes them)" in told
    assert build(run, name, "--prune") == ALL[:2]
    assert build(run, name, "--prune") == ALL[:2]
    assert "gone" not in run("build", name, "-o", "out", "-q", "--setting", "pose=geometric")[2]
    write(*map(row, ALL), name=name)
    assert build(run, name, "--prune") == ALL


def test_a_list_that_is_not_named_or_has_no_picture_removes_nothing(run: Run, here: Path) -> None:
    write(*ALL)
    assert build(run, "l.txt") == ALL
    write("photos/0.png")
    assert build(run, "photos/0.png", "--prune") == ALL
    write()
    assert build(run, "photos/0.png", "l.txt", "--prune") == ALL  # the list is empty: an error, and nothing is done
    write("away/0.png", "away/1.jpg")
    assert build(run, "l.txt", "--prune") == ["away/0.png", "away/1.jpg", *ALL]
    Path("l.txt").unlink()
    assert build(run, "photos/0.png", "l.txt", "--prune") == ["away/0.png", "away/1.jpg", *ALL]


def test_a_picture_that_another_place_has_too_stays(run: Run, here: Path) -> None:
    write(*ALL)
    write("photos/0.png", "photos/usb/2.jpg", name="other.csv")
    assert build(run, "l.txt", "photos/*.jpg", "other.csv") == ALL
    write("photos/usb/2.jpg")
    assert build(run, "l.txt", "--prune") == ALL  # a glob has 1.jpg, another list 0.png
    write("photos/usb/2.jpg", name="other.csv")
    assert build(run, "other.csv", "--prune") == ALL[1:]


def test_a_picture_that_was_there_before_the_list_stays(run: Run, here: Path) -> None:
    assert build(run, "photos") == ALL
    write(*ALL)
    assert build(run, "l.txt") == ALL
    write("photos/0.png")
    assert build(run, "l.txt", "--prune") == ALL


def test_a_picture_that_a_folder_has_by_now_stays(run: Run, here: Path) -> None:
    write(*ALL)
    assert build(run, "l.txt") == ALL
    assert build(run, "photos") == ALL
    write("photos/0.png")
    assert build(run, "l.txt", "--prune") == ALL


def test_a_damaged_memory_of_lists_removes_nothing(run: Run, here: Path) -> None:
    write(*ALL)
    assert build(run, "l.txt") == ALL
    Path("out/.facesieve/lists.parquet").write_bytes(b"x")
    write("photos/0.png")
    assert build(run, "l.txt", "--prune") == ALL


def test_what_was_forgotten_is_not_remembered_as_listed(run: Run, here: Path) -> None:
    write(*ALL)
    assert build(run, "l.txt") == ALL
    assert len(pq.read_table("out/.facesieve/lists.parquet")) == 3
    assert run("forget", "out", "photos/1.jpg")[0] == 0
    assert len(pq.read_table("out/.facesieve/lists.parquet")) == 2
    assert b"photos" not in Path("out/.facesieve/lists.parquet").read_bytes()
    assert run("check", "out")[0] == 0

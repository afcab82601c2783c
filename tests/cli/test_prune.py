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

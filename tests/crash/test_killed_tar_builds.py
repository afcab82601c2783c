"""Builds with crops in tar files, killed at any moment: what is there is whole, and the next run finishes."""

from __future__ import annotations

import shutil
import signal
import tarfile
from pathlib import Path

import pytest
from killed import assert_whole, finish, start, wait_for

from facesieve.dataset.disk.tar import is_intact
from handmade import files_in, photos

SHARDS = ("Handmade", "shards")


def assert_readable(dataset: Path) -> None:
    assert_whole(dataset)
    for path in dataset.rglob("*.tar"):
        if path.parent.name != "scratch":
            with tarfile.open(path) as tar:
                assert all(tar.extractfile(member) for member in tar)
        if path.parent.name == "shards":
            assert is_intact(path)


@pytest.fixture(scope="module")
def heap(tmp_path_factory: pytest.TempPathFactory, astronaut: Path) -> Path:
    return photos(tmp_path_factory.mktemp("heap"), astronaut, count=12)


@pytest.fixture(scope="module")
def whole(heap: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("whole") / "out"
    assert finish(heap, out, 0, 0, 1, *SHARDS) == (0, "")
    assert len([name for name in files_in(out) if name.endswith(".tar")]) > 2
    return files_in(out)


@pytest.mark.parametrize("kill_at", [12, 40, 52, 56, 60, 64])
def test_killed_at_a_sync_and_continued_is_the_same_dataset(
    heap: Path, tmp_path: Path, whole: dict[str, bytes], kill_at: int
) -> None:
    assert finish(heap, tmp_path / "out", kill_at, 0, 1, *SHARDS)[0] == -signal.SIGKILL
    assert_readable(tmp_path / "out")
    assert finish(heap, tmp_path / "out", 0, 0, 1, *SHARDS) == (0, "")
    assert files_in(tmp_path / "out") == whole
    assert not list((tmp_path / "out" / ".facesieve" / "crops").iterdir())


@pytest.mark.slow
def test_killed_at_every_sync_of_a_build_and_of_one_that_adds(
    heap: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    some = shutil.copytree(heap, tmp_path / "some" / heap.name)
    (some / "Ada" / "007.png").unlink()
    begun = tmp_path / "begun"
    assert finish(some, begun, 0, 0, 1, *SHARDS) == (0, "")
    for first in (None, begun):
        for kill_at in range(1, 200):
            out = tmp_path / f"{kill_at}"
            if first:
                shutil.copytree(first, out)
            if finish(heap, out, kill_at, 0, 1, *SHARDS)[0] == 0:
                assert kill_at > 10
                break
            assert_readable(out)
            assert finish(heap, out, 0, 0, 1, *SHARDS) == (0, "")
            assert files_in(out) == whole
            shutil.rmtree(out)
        shutil.rmtree(out)


@pytest.mark.parametrize("workers", [1, 2])
def test_killed_from_outside_again_and_again_it_still_gets_there(
    heap: Path, tmp_path: Path, whole: dict[str, bytes], workers: int
) -> None:
    for seen in (4, 2):
        child = start(heap, tmp_path / "out", 0, 0.05, workers, *SHARDS)
        wait_for(child, f"done {seen}")
        child.kill()
        child.communicate()
        assert_readable(tmp_path / "out")
    assert finish(heap, tmp_path / "out", 0, 0, workers, *SHARDS) == (0, "")
    assert files_in(tmp_path / "out") == whole

"""Builds by a rule that compares all faces, killed at any moment, also while crops move: the next run finishes."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest
from killed import assert_whole, finish

from facesieve.run.check import check_dataset
from handmade import files_in, photos

HASHED = (0, 1, "Hashed")  # pause, workers, pipeline


@pytest.fixture(scope="module")
def heap(tmp_path_factory: pytest.TempPathFactory, astronaut: Path) -> Path:
    return photos(tmp_path_factory.mktemp("heap"), astronaut, count=10)


@pytest.fixture(scope="module")
def begun(heap: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset without two of the photos, so that other faces are the fittest."""
    root = tmp_path_factory.mktemp("begun")
    shutil.copytree(heap, root / heap.name, copy_function=shutil.copy2)
    for name in ("Ada/005.png", "Grace/002.png"):
        (root / heap.name / name).unlink()
    assert finish(root / heap.name, root / "out", 0, *HASHED) == (0, "")
    return root / "out"


@pytest.fixture(scope="module")
def whole(heap: Path, begun: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("whole") / "out"
    assert finish(heap, out, 0, *HASHED) == (0, "")
    files, before = files_in(out), {name for name in files_in(begun) if name.endswith(".png")}
    both = {name.partition("/")[0] for name in before - files.keys()}
    assert both == {"kept", "rejected"}, "crops move both ways when the other photos are added"
    return files


def assert_finished(out: Path, whole: dict[str, bytes]) -> None:
    assert files_in(out) == whole
    found = check_dataset(out)
    assert (found.faults, found.without_sum, found.undone) == ((), 0, 0)


@pytest.mark.parametrize("kill_at", [45, 65, 85])
def test_killed_at_a_sync_and_continued_is_the_same_dataset(
    heap: Path, begun: Path, whole: dict[str, bytes], tmp_path: Path, kill_at: int
) -> None:
    out = shutil.copytree(begun, tmp_path / "out")
    assert finish(heap, out, kill_at, *HASHED)[0] == -signal.SIGKILL
    assert_whole(out)
    assert finish(heap, out, 0, *HASHED) == (0, "")
    assert_finished(out, whole)


@pytest.mark.slow
@pytest.mark.parametrize("first", ["new", "begun"])
def test_killed_at_every_sync(heap: Path, begun: Path, whole: dict[str, bytes], tmp_path: Path, first: str) -> None:
    for kill_at in range(1, 400):
        out = tmp_path / f"{kill_at}"
        if first == "begun":
            shutil.copytree(begun, out)
        if finish(heap, out, kill_at, *HASHED)[0] == 0:
            assert kill_at > 80
            return
        assert_whole(out)
        assert finish(heap, out, 0, *HASHED) == (0, "")
        assert_finished(out, whole)
        shutil.rmtree(out)

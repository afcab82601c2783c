"""Real processes, real signals, real full disks: whatever happens, files are whole and the next run finishes."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from killed import PATIENCE, assert_whole, finish, start, wait_for

from handmade import files_in, photos


@pytest.fixture(scope="module")
def heap(tmp_path_factory: pytest.TempPathFactory, astronaut: Path) -> Path:
    return photos(tmp_path_factory.mktemp("heap"), astronaut, count=8)


@pytest.fixture(scope="module")
def whole(heap: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("whole") / "out"
    assert finish(heap, out) == (0, "")
    return files_in(out)


@pytest.mark.parametrize("kill_at", [33, 84])
def test_killed_at_any_sync_and_continued_is_the_same_dataset(
    heap: Path, tmp_path: Path, whole: dict[str, bytes], kill_at: int
) -> None:
    assert finish(heap, tmp_path / "out", kill_at)[0] == -signal.SIGKILL
    assert_whole(tmp_path / "out")
    assert finish(heap, tmp_path / "out") == (0, "")
    assert files_in(tmp_path / "out") == whole


@pytest.mark.slow
def test_killed_at_every_sync(heap: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    for kill_at in range(1, 200):
        out = tmp_path / f"{kill_at}"
        if finish(heap, out, kill_at)[0] == 0:
            assert kill_at > 60
            return
        assert_whole(out)
        assert finish(heap, out) == (0, "")
        assert files_in(out) == whole
        shutil.rmtree(out)


SMALL = {**os.environ, "FACESIEVE_MANIFEST_ROWS": "3"}


@pytest.fixture(scope="module")
def large(heap: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The same dataset with manifests that are folders."""
    out = tmp_path_factory.mktemp("large") / "out"
    assert finish(heap, out, env=SMALL) == (0, "")
    assert (out / "faces.parquet").is_dir() and (out / "pictures.parquet").is_dir()
    return files_in(out)


@pytest.mark.parametrize("kill_at", [74, 79, 84, 88])
def test_killed_while_it_publishes_folders_and_continued_is_the_same_dataset(
    heap: Path, tmp_path: Path, large: dict[str, bytes], whole: dict[str, bytes], kill_at: int
) -> None:
    """Each continues what was killed, in turn with a limit that makes folders and one that makes files."""
    out = tmp_path / "out"
    assert finish(heap, out, kill_at, env=SMALL)[0] == -signal.SIGKILL
    assert_whole(out)
    assert finish(heap, out) == (0, "")
    assert files_in(out) == whole
    assert finish(heap, out, kill_at - 70, env=SMALL)[0] == -signal.SIGKILL
    assert_whole(out)
    assert finish(heap, out, env=SMALL) == (0, "")
    assert files_in(out) == large


def test_killed_from_outside_again_and_again_it_still_gets_there(
    heap: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    for seen in (4, 2):
        child = start(heap, tmp_path / "out", 0, 0.05)
        wait_for(child, f"done {seen}")
        child.kill()
        child.communicate()
        assert_whole(tmp_path / "out")
    assert finish(heap, tmp_path / "out") == (0, "")
    assert files_in(tmp_path / "out") == whole


def test_interrupted_it_stops_at_once_and_what_was_finished_stays(
    heap: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    child = start(heap, tmp_path / "out", 0, PATIENCE, 1, "Handmade", "files", 6)
    wait_for(child, "done 6")
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=PATIENCE / 2)
    assert (child.returncode, errors) == (130, "")
    assert [path.name for path in (tmp_path / "out" / ".facesieve" / "parts").iterdir()] == ["00000000.parquet"]
    assert not (tmp_path / "out" / ".facesieve" / "scratch").exists()
    assert finish(heap, tmp_path / "out") == (0, "")
    assert files_in(tmp_path / "out") == whole


def test_a_second_build_on_the_same_dataset_is_told_so(heap: Path, tmp_path: Path) -> None:
    first = start(heap, tmp_path / "out", 0, PATIENCE)
    wait_for(first, "done 0")
    status, errors = finish(heap, tmp_path / "out")
    first.kill()
    first.communicate()
    assert (status, errors) == (2, f"in_use Another build is writing to {tmp_path / 'out'}. Wait until it has ended.\n")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own of 256 KiB; skipped where nobody may mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_one_sentence_and_more_room_continues(
    heap: Path, small_disk: Path, whole: dict[str, bytes]
) -> None:
    status, errors = finish(heap, small_disk / "out")
    assert status == 2
    assert errors.startswith(f"cannot_write Cannot write {small_disk / 'out'}")
    assert errors.endswith(": No space left on device.\n") and errors.count("\n") == 1
    assert_whole(small_disk / "out")
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
    assert finish(heap, small_disk / "out") == (0, "")
    assert files_in(small_disk / "out") == whole


def test_a_limit_on_file_size_is_one_sentence_and_leaves_no_half_file(heap: Path, tmp_path: Path) -> None:
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (16_000, 16_000))
    status, errors = finish(heap, tmp_path / "out", preexec_fn=limit)
    assert (status, errors.count("\n")) == (2, 1)
    assert "File too large" in errors
    assert_whole(tmp_path / "out")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_one_sentence(heap: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    status, errors = finish(heap, tmp_path / "out")
    tmp_path.chmod(0o700)
    assert (status, errors) == (2, f"cannot_write Cannot write {tmp_path / 'out'}: Permission denied.\n")

"""A merge that is killed, that meets a full disk, or that is stopped, is finished by the same merge."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from killed import assert_whole

from facesieve.run.build import build_dataset
from facesieve.run.check import check_dataset
from facesieve.run.portion import Portion
from handmade import Handmade, build_spec, files_in, photos, sources_in

MERGING = Path(__file__).with_name("merging.py")


def merge(*arguments: object, **options: object) -> tuple[int, str]:
    """Exit status, and what was printed."""
    command = [sys.executable, str(MERGING), *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)  # type: ignore[call-overload]
    return int(ended.returncode), str(ended.stdout + ended.stderr)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory, astronaut: Path) -> list[Path]:
    heap, root = photos(tmp_path_factory.mktemp("heap"), astronaut, count=6), tmp_path_factory.mktemp("parts")
    spec = build_spec(shard_size=3)
    build_dataset(sources_in(heap), root / "whole", Handmade, spec)
    for number in (1, 2):
        build_dataset(sources_in(heap), root / f"{number}", Handmade, spec, portion=Portion(number, 2))
    return [root / "1", root / "2"]


@pytest.fixture(scope="module")
def whole(parts: list[Path]) -> dict[str, bytes]:
    return files_in(parts[0].with_name("whole"))


def assert_finished(out: Path, whole: dict[str, bytes]) -> None:
    assert files_in(out) == whole
    found = check_dataset(out)
    assert (found.faults, found.without_sum, found.undone) == ((), 0, 0)


@pytest.mark.parametrize(("kill_at", "copy"), [(3, 0), (12, 0), (20, 1), (28, 0), (40, 1)])
def test_killed_at_any_sync_and_run_again_is_the_same_dataset(
    parts: list[Path], whole: dict[str, bytes], tmp_path: Path, kill_at: int, copy: int
) -> None:
    assert merge(tmp_path / "out", kill_at, copy, *parts)[0] == -signal.SIGKILL
    assert_whole(tmp_path / "out")
    assert merge(tmp_path / "out", 0, copy, *parts)[0] == 0
    assert_finished(tmp_path / "out", whole)


@pytest.mark.slow
@pytest.mark.parametrize("copy", [0, 1])
def test_killed_at_every_sync_of_a_merge(parts: list[Path], whole: dict[str, bytes], tmp_path: Path, copy: int) -> None:
    status, said = merge(tmp_path / "count", 0, copy, *parts)
    syncs = int(said)
    assert (status, syncs > 30) == (0, True)
    for kill_at in range(1, syncs + 1):
        out = tmp_path / f"{kill_at}"
        assert merge(out, kill_at, copy, *parts)[0] == -signal.SIGKILL
        assert_whole(out)
        status, said = merge(out, 0, copy, *parts)
        if status:  # the kill came when everything was done, and only the removal of the mark was not yet durable
            assert kill_at > syncs - 2 and "not_empty" in said
        assert_finished(out, whole)


def test_a_full_disk_is_one_sentence_and_the_same_merge_goes_on(
    parts: list[Path], whole: dict[str, bytes], tmp_path: Path
) -> None:
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (9000, resource.RLIM_INFINITY))
    status, said = merge(tmp_path / "out", 0, 1, *parts, preexec_fn=limit)
    assert status == 2
    assert said.startswith("cannot_write Cannot write ") and said.count("\n") == 1
    assert_whole(tmp_path / "out")
    assert merge(tmp_path / "out", 0, 1, *parts)[0] == 0
    assert_finished(tmp_path / "out", whole)

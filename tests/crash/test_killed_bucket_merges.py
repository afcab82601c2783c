"""A merge into a bucket that is killed at any moment is finished by the same merge on another machine."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import bucket_merging
import pytest
from bucket_building import LEASE, OUTPUTS, build_in_bucket
from s3_server import S3Server

from facesieve.errors import DatasetError
from facesieve.run.build import build_dataset
from facesieve.run.portion import Portion
from facesieve.run.pull import pull
from handmade import Handmade, build_spec, files_in, photos, sources_in

# What is about to be written, or deleted after `-`, when the merge dies.
PHASES = [
    ".facesieve/merging",
    "shards/",
    ".facesieve/made.json",
    ".facesieve/parts/",
    "faces.parquet",
    "dataset.json",
    "-.facesieve/merging",
]
FAST = ["dataset.json"]


@pytest.fixture(scope="module")
def heap(tmp_path_factory: pytest.TempPathFactory, astronaut: Path) -> Path:
    return photos(tmp_path_factory.mktemp("heap"), astronaut, count=8)


@pytest.fixture(scope="module")
def parts(heap: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    root = tmp_path_factory.mktemp("parts")
    for number in (1, 2):
        spec = build_spec(OUTPUTS, shard_size=4)
        build_dataset(sources_in(heap), root / f"{number}", Handmade, spec, portion=Portion(number, 2))
    return [root / "1", root / "2"]


@pytest.fixture(scope="module")
def whole(heap: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("whole") / "out"
    build_dataset(sources_in(heap), out, Handmade, build_spec(OUTPUTS, shard_size=4))
    return files_in(out)


def merge(*arguments: object) -> tuple[int, str]:
    command = [sys.executable, bucket_merging.__file__, *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    return ended.returncode, ended.stderr


def expire(s3: S3Server, url: str) -> None:
    """Let the time pass that the lease of a dead merge lasts."""
    name = f"{url}/.facesieve/lease.json"
    lease = json.loads(s3.objects(f"{url}/")[".facesieve/lease.json"])
    assert lease["seconds"] == LEASE
    s3.put(name, json.dumps(lease | {"seconds": 0}).encode())


@pytest.mark.parametrize(
    "phase", [phase if phase in FAST else pytest.param(phase, marks=pytest.mark.slow) for phase in PHASES]
)
def test_killed_in_a_phase_and_run_again_on_another_machine_is_the_same_dataset(
    s3: S3Server, heap: Path, parts: list[Path], whole: dict[str, bytes], tmp_path: Path, phase: str
) -> None:
    url = s3.folder().rstrip("/")
    assert merge(url, tmp_path / "first", phase, *parts) == (-signal.SIGKILL, "")
    there = s3.objects(f"{url}/")
    assert ("dataset.json" in there) == phase.startswith("-")
    assert (".facesieve/merging" in there) == (phase != ".facesieve/merging")
    expire(s3, url)
    if ".facesieve/merging" in there:
        with pytest.raises(DatasetError, match=r"A merge into .* has not ended") as caught:
            build_in_bucket(heap, url, tmp_path / "build")
        assert (caught.value.code, str(tmp_path) in caught.value.message) == ("unfinished", False)
    with pytest.raises(DatasetError, match="holds no finished dataset"):
        pull(url, tmp_path / "copy")
    assert merge(url, tmp_path / "second", 0, *parts) == (0, "")
    after = s3.objects(f"{url}/")
    assert {name: data for name, data in after.items() if not name.startswith(".facesieve/")} == whole
    assert ".facesieve/merging" not in after
    pull(url, tmp_path / "pulled")
    assert files_in(tmp_path / "pulled") == whole

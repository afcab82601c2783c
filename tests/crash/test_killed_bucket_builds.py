"""Builds into a bucket, killed at any moment: another machine, whose folder is empty, continues to the same bytes."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import bucket_building
import pytest
from bucket_building import LEASE, OUTPUTS, build_in_bucket
from s3_server import S3Server

from facesieve.errors import DatasetError
from facesieve.run.build import build_dataset
from facesieve.run.build_result import BuildResult
from handmade import Handmade, build_spec, files_in, photos, sources_in

# What is about to be written, or deleted after `-`, when the build dies, and whether a shard is in the bucket by then.
PHASES = {
    ".facesieve/made.json": False,
    ".facesieve/crops/": False,
    ".facesieve/parts/": False,
    ".facesieve/parts/00000002": True,
    "shards/": True,
    "faces.parquet": True,
    ".facesieve/sums/published": True,
    "dataset.json": True,
    "-.facesieve/crops/": True,
}
FAST = [".facesieve/parts/", "dataset.json"]


@pytest.fixture(scope="module")
def heap(tmp_path_factory: pytest.TempPathFactory, astronaut: Path) -> Path:
    return photos(tmp_path_factory.mktemp("heap"), astronaut, count=12)


@pytest.fixture(scope="module")
def whole(heap: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The published files of a local build."""
    out = tmp_path_factory.mktemp("whole") / "out"
    build_dataset(sources_in(heap), out, Handmade, build_spec(OUTPUTS, shard_size=4))
    return files_in(out)


@pytest.fixture
def url(s3: S3Server) -> str:
    return s3.folder().rstrip("/")


def start(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, bucket_building.__file__, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def killed(*arguments: object) -> bool:
    """Run a build that kills itself. Whether it did; otherwise it has succeeded."""
    child = start(*arguments)
    _, errors = child.communicate()
    assert child.returncode in (0, -signal.SIGKILL), errors
    return child.returncode != 0


def expire(s3: S3Server, url: str) -> None:
    """Let the time pass that the lease of a dead build lasts."""
    name = f"{url}/.facesieve/lease.json"
    lease = json.loads(s3.objects(f"{url}/")[".facesieve/lease.json"])
    assert lease["seconds"] == LEASE
    s3.put(name, json.dumps(lease | {"seconds": 0}).encode())


def published(s3: S3Server, url: str) -> dict[str, bytes]:
    return {name: data for name, data in s3.objects(f"{url}/").items() if not name.startswith(".facesieve/")}


def build_when_free(heap: Path, url: str, work: Path) -> BuildResult:
    """Build as soon as the lease of another build is over."""
    until = time.monotonic() + 120
    while True:
        try:
            return build_in_bucket(heap, url, work)
        except DatasetError as error:
            assert error.code == "in_use" and time.monotonic() < until, error
            time.sleep(0.5)


def assert_whole(s3: S3Server, url: str) -> None:
    """Every part in the bucket has its crops there, and `dataset.json` the files of readers."""
    there = s3.objects(f"{url}/")
    if "dataset.json" in there:
        assert {"faces.parquet", "pictures.parquet", "contact_sheet.html"} <= there.keys()
    for name in there:
        if name.startswith(".facesieve/parts/") and not any(one.startswith("shards/") for one in there):
            number = Path(name).stem
            assert {f".facesieve/crops/{number}.tar", f".facesieve/thumbs/{number}.parquet"} <= there.keys()


@pytest.mark.parametrize(
    "phase", [phase if phase in FAST else pytest.param(phase, marks=pytest.mark.slow) for phase in PHASES]
)
def test_killed_in_a_phase_and_continued_on_another_machine_is_the_same_dataset(
    s3: S3Server, url: str, heap: Path, tmp_path: Path, whole: dict[str, bytes], phase: str
) -> None:
    assert killed(heap, url, tmp_path / "first", phase, 0.3 if phase[-1].isdecimal() else 0)
    assert_whole(s3, url)
    assert ("dataset.json" in s3.objects(f"{url}/")) == phase.startswith("-")
    expire(s3, url)
    result = build_in_bucket(heap, url, tmp_path / "second")
    assert (result.progress.already > 0) == PHASES[phase]
    assert published(s3, url) == whole == files_in(tmp_path / "second")
    assert not [name for name in s3.objects(f"{url}/") if name.startswith(".facesieve/crops/")]


@pytest.mark.slow
def test_killed_at_every_change_of_the_bucket_of_a_build_and_of_one_that_adds_and_removes(
    s3: S3Server, heap: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    """The machine that dies and the one that continues take turns, so both have folders that are behind."""
    some = shutil.copytree(heap, tmp_path / "some" / heap.name)
    (some / "Ada" / "007.png").unlink()
    for first in (None, some):
        kill_at, url = 0, s3.folder().rstrip("/")
        if first:
            build_in_bucket(first, url, tmp_path / "begun")
        before = s3.objects(f"{url}/")
        while True:
            kill_at += 3
            for name in s3.objects(f"{url}/"):
                s3.delete(f"{url}/{name}")
            for name, data in before.items():
                s3.put(f"{url}/{name}", data)
            if not killed(heap, url, tmp_path / f"{bool(first)}", kill_at):
                assert kill_at > 10
                break
            assert_whole(s3, url)
            expire(s3, url)
            build_in_bucket(heap, url, tmp_path / f"{bool(first)} other")
            assert published(s3, url) == whole


@pytest.mark.slow
def test_killed_from_outside_the_same_machine_goes_on_at_once_and_another_after_the_lease(
    s3: S3Server, url: str, heap: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    for seen in (9, 2):
        child = start(heap, url, tmp_path / "work", 0, 0.2, 2, 30)
        assert child.stdout
        assert any(line == f"done {seen}\n" for line in child.stdout)
        child.kill()
        child.communicate()
    with pytest.raises(DatasetError, match="whose lease lasts until"):
        build_in_bucket(heap, url, tmp_path / "other")
    result = build_when_free(heap, url, tmp_path / "other")
    assert result.progress.already > 0
    assert published(s3, url) == whole


@pytest.mark.slow
def test_a_build_that_was_suspended_for_longer_than_its_lease_stops_and_changes_nothing(
    s3: S3Server, url: str, heap: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    child = start(heap, url, tmp_path / "first", 0, 0.2, 1, 5)
    assert child.stdout
    assert any(line == "done 6\n" for line in child.stdout)
    child.send_signal(signal.SIGSTOP)
    build_when_free(heap, url, tmp_path / "second")
    there = s3.objects(f"{url}/")
    assert published(s3, url) == whole
    child.send_signal(signal.SIGCONT)
    _, errors = child.communicate(timeout=120)
    assert (child.returncode, errors.count("\n")) == (2, 1)
    assert "may not write" in errors and errors.endswith("[lease_lost]\n")
    assert s3.objects(f"{url}/") == there


@pytest.mark.slow
def test_a_store_that_dies_ends_the_build_with_one_sentence_and_the_next_one_continues(
    heap: Path, tmp_path: Path, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "s3").mkdir()
    with S3Server(tmp_path / "s3") as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        url = server.folder().rstrip("/")

        def watch(output: object, progress: object) -> None:
            time.sleep(0.3)
            if getattr(progress, "done", 0) == 6:
                server.kill()

        with pytest.raises(DatasetError) as caught:
            build_in_bucket(heap, url, tmp_path / "work", watch)
        assert caught.value.code == "cannot_write" and "The host refused the connection." in caught.value.message
        server.start()
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        assert build_in_bucket(heap, url, tmp_path / "work").progress.already > 0
        assert published(server, url) == whole

"""Builds that write their dataset into a bucket of a real S3 server."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bucket_building import build_in_bucket
from bucket_datasets import LEASE, error_of, local_build, published, put_lease
from s3_server import READER, VISITOR, S3Server

from facesieve.run.bucket_dataset import BucketDataset
from facesieve.run.progress import Progress
from facesieve.run.pull import pull
from facesieve.settings import Settings
from facesieve.sources.remote.objects import Objects
from handmade import files_in

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def url(s3: S3Server) -> str:
    """A folder of a bucket that is empty, with a name that needs encoding."""
    return f"{s3.folder()}data set 😀/100%"


def test_a_bucket_gets_the_files_of_a_local_build_and_the_same_build_again_writes_nothing(
    s3: S3Server, url: str, ten_photos: Path, tmp_path: Path, ten_published: dict[str, bytes]
) -> None:
    build_in_bucket(ten_photos, url, tmp_path / "work")
    assert published(s3, url) == ten_published == files_in(tmp_path / "work")
    assert sum(name.startswith("shards/") for name in ten_published) > 2
    before = s3.objects(f"{url}/")
    hidden = {path.relative_to(tmp_path / "work").as_posix() for path in (tmp_path / "work" / ".facesieve").glob("*/*")}
    ours = {name for name in hidden if not name.startswith(".facesieve/mirror/")} | {".facesieve/made.json", LEASE}
    assert {name for name in before if name.startswith(".facesieve/")} == ours, "every file of the ledger is copied"
    written: list[str] = []
    result = build_in_bucket(ten_photos, f"{url}/", tmp_path / "work", announce=written.append)
    assert (result.progress.total, written) == (0, [])
    after = s3.objects(f"{url}/")
    assert {name for name in after if after[name] != before.get(name)} <= {LEASE}


def test_what_lies_in_the_bucket_and_belongs_to_no_shard_is_deleted_and_foreign_objects_stay(
    s3: S3Server, url: str, ten_photos: Path, tmp_path: Path, ten_published: dict[str, bytes]
) -> None:
    build_in_bucket(ten_photos, url, tmp_path / "work")
    left = {
        f"shards/{'0' * 32}.tar": bytes(1024),
        ".facesieve/crops/00000099.tar": bytes(1024),
        ".facesieve/sums/00000099.txt": s3.objects(f"{url}/")[".facesieve/sums/00000000.txt"],
        ".facesieve/thumbs/00000099.parquet": s3.objects(f"{url}/")[".facesieve/thumbs/00000000.parquet"],
    }
    foreign = {"README.md": b"ours", ".facesieve/other": b"y", "shards/x.tar": b"", "marked/loose.jpg": b"z"}
    for name, data in (left | foreign).items():
        s3.put(f"{url}/{name}", data)
    build_in_bucket(ten_photos, url, tmp_path / "work")
    there = s3.objects(f"{url}/")
    assert not left.keys() & there.keys()
    assert {name: there[name] for name in foreign} == foreign
    assert files_in(tmp_path / "work").keys() == ten_published.keys()


def test_a_build_that_lost_its_lease_unnoticed_overwrites_nothing_of_the_next_one(
    s3: S3Server, url: str, ten_photos: Path, tmp_path: Path
) -> None:
    name = ".facesieve/parts/00000002.parquet"

    def watch(output: BucketDataset, progress: Progress) -> None:
        if progress.done == 5:
            put_lease(s3, url, seconds=3600)
            s3.put(f"{url}/{name}", b"of the next build")

    code, _ = error_of(lambda: build_in_bucket(ten_photos, url, tmp_path / "work", watch))
    assert code == "lease_lost"
    assert s3.objects(f"{url}/")[name] == b"of the next build"


def test_an_answer_that_is_lost_on_its_way_is_not_taken_for_another_build(
    s3: S3Server,
    url: str,
    ten_photos: Path,
    tmp_path: Path,
    ten_published: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write, lost = Objects.write, set[str]()

    async def write_twice(self: Objects, name: str, *rest: Any) -> str | None:
        """The first answer for each object is lost, so its request is made again."""
        if name not in lost:
            lost.add(name)
            await write(self, name, *rest)
        return await write(self, name, *rest)

    monkeypatch.setattr(Objects, "write", write_twice)
    build_in_bucket(ten_photos, url, tmp_path / "work")
    assert published(s3, url) == ten_published


@pytest.mark.slow
def test_a_store_that_ignores_conditions_is_named_and_read_back(
    s3: S3Server,
    url: str,
    ten_photos: Path,
    tmp_path: Path,
    ten_published: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("facesieve.buckets.s3.conditions", lambda only_if: {})
    monkeypatch.setattr("facesieve.run.lease._SETTLED", 0.1)
    said: list[str] = []
    build_in_bucket(ten_photos, url, tmp_path / "work", announce=said.append)
    assert len(said) == 1 and "ignores conditions on writes" in said[0]
    assert published(s3, url) == ten_published
    monkeypatch.setattr("facesieve.run.lease.asyncio.sleep", steal := Stealing(s3, url))
    assert error_of(lambda: build_in_bucket(ten_photos, url, tmp_path / "work"))[0] == "in_use"
    assert steal.times


class Stealing:
    """A pause in which another build takes the lease."""

    def __init__(self, s3: S3Server, url: str) -> None:
        self.s3, self.url, self.times = s3, url, 0

    async def __call__(self, seconds: float) -> None:
        self.times += 1
        put_lease(self.s3, self.url, seconds=3600)


@pytest.mark.slow
def test_a_machine_that_stopped_keeps_the_shards_that_it_had_not_copied_yet(
    s3: S3Server,
    url: str,
    ten_photos: Path,
    tmp_path: Path,
    ten_published: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def nothing(self: object, ending: object) -> None:
        """Copies no shard."""

    def stop(output: BucketDataset, progress: Progress) -> None:
        if progress.done == 9:
            raise KeyboardInterrupt

    def begun(work: Path) -> None:
        with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
            patched.setattr("facesieve.run.mirror.Mirror.follow", nothing)
            build_in_bucket(ten_photos, url, work, stop)
        assert not [name for name in s3.objects(f"{url}/") if "parts" in name]

    begun(tmp_path / "work")
    assert build_in_bucket(ten_photos, url, tmp_path / "work").progress.already == 8
    assert published(s3, url) == ten_published
    for name in s3.objects(f"{url}/"):
        s3.delete(f"{url}/{name}")
    begun(tmp_path / "stale")
    put_lease(s3, url, seconds=0)  # another machine has written meanwhile, and perhaps has forgotten somebody
    assert build_in_bucket(ten_photos, url, tmp_path / "stale").progress.already == 0
    assert published(s3, url) == ten_published


def test_a_bucket_that_cannot_be_used_is_one_sentence_before_any_work(
    s3: S3Server, url: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source does not exist either, which would be reported if it was looked for first."""
    arguments = ("--setting", "fetch_tries=1", "--setting", "bucket_tries=1", "--work-folder", tmp_path / "work")
    (tmp_path / "work").mkdir()

    def build_into(place: str) -> str:
        status, _, err = run("build", tmp_path / "none", "-o", place, *arguments)
        assert status == 2 and err.count("\n") == 1 and "Traceback" not in err
        return err

    assert "status 404 (Not Found, NoSuchBucket). [cannot_read]" in build_into("s3://no-such-bucket/out")
    assert "[bad_url]" in build_into("s3://no bucket/out")
    assert "[bad_url]" in build_into(f"s3://photos/{'x' * 701}")
    s3.put(f"{url}/photo.jpg", b"x")
    assert "has other objects in it, such as 'photo.jpg'" in build_into(url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", VISITOR)
    assert f"Cannot write {url}-2/: " in (said := build_into(f"{url}-2")) and "403 (Forbidden, AccessDenied)" in said
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", READER)
    assert "[cannot_read]" in build_into(f"{url}-3")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert "The host refused the connection. [cannot_read]" in build_into(f"{url}-4")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "The config profile (nobody) could not be found. [cannot_read]" in build_into(f"{url}-5")
    assert not list(tmp_path.rglob("*.parquet"))


def test_wrong_options_are_one_sentence(s3: S3Server, url: str, run: Run, tmp_path: Path, hopper: Path) -> None:
    def said(*arguments: object) -> str:
        status, _, err = run("build", hopper, *arguments)
        assert status == 2 and err.count("\n") == 1
        return err

    assert "[files_in_bucket]" in said("-o", url, "--crops-as", "files")
    assert "[tars_too_large]" in said("-o", url, "--setting", "tar_bytes=2000000001")
    assert "[no_work_folder]" in said("-o", tmp_path / "out", "--work-folder", tmp_path / "work")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "diary.txt").touch()
    assert "[not_a_dataset]" in said("-o", url, "--work-folder", tmp_path / "other")
    local_build(hopper.parent / "none", tmp_path / "dataset")
    assert "[other_work_folder]" in said("-o", url, "--work-folder", tmp_path / "dataset")
    assert s3.objects(f"{url}/") == {}


@pytest.mark.parametrize(
    "command",
    [
        ("explain", "URL", "abc"),
        ("sieve", "URL"),
        ("check", "URL"),
        ("identify", "URL", "--identity", "none"),
        ("upgrade", "URL"),
        ("stats", "URL"),
        ("people", "URL"),
        ("merge", "URL", "-o", "FOLDER"),
        ("pull", "URL", "URL"),
    ],
    ids=" ".join,
)
def test_every_other_command_says_that_a_dataset_in_a_bucket_has_to_be_copied_first(
    command: tuple[str, ...], run: Run, tmp_path: Path
) -> None:
    places = {"URL": "s3://bucket/a b/data", "FOLDER": str(tmp_path / "folder")}
    status, _, err = run(*(places.get(word, word) for word in command))
    assert (status, err.endswith("[dataset_in_bucket]\n")) == (2, True), err
    assert "facesieve pull 's3://bucket/a b/data' FOLDER" in err


def test_objects_that_another_program_deletes_or_changes_end_the_build_before_the_dataset_is_finished(
    s3: S3Server, url: str, ten_photos: Path, tmp_path: Path, ten_published: dict[str, bytes]
) -> None:
    def watch(output: BucketDataset, progress: Progress) -> None:
        if progress.done == 10:
            deadline = time.monotonic() + 120
            while ".facesieve/parts/00000000.parquet" not in (there := s3.objects(f"{url}/")):
                assert time.monotonic() < deadline
                time.sleep(0.1)
            s3.delete(f"{url}/.facesieve/made.json")
            s3.put(f"{url}/.facesieve/thumbs/00000000.parquet", there[".facesieve/thumbs/00000000.parquet"] + b"x")

    code, message = error_of(lambda: build_in_bucket(ten_photos, url, tmp_path / "work", watch))
    assert code == "dataset_changed" and "2 files (.facesieve/made.json, .facesieve/thumbs/00000000.parquet)" in message
    assert "dataset.json" not in s3.objects(f"{url}/")
    s3.put(f"{url}/.facesieve/thumbs/00000000.parquet", b"x")
    build_in_bucket(ten_photos, url, tmp_path / "work")
    assert published(s3, url) == ten_published


def test_a_dataset_inside_a_dataset_is_refused_and_nothing_is_written(
    s3: S3Server, url: str, ten_photos: Path, tmp_path: Path
) -> None:
    build_in_bucket(ten_photos, url, tmp_path / "work")
    before = s3.objects(f"{url}/").keys()
    for place in (f"{url}/shards", f"{url}/deep/er/"):
        code, message = error_of(lambda place=place: build_in_bucket(ten_photos, place, tmp_path / place[-3:-1]))
        assert (code, message) == (
            "inside_a_dataset",
            f"{place.rstrip('/')}/ is inside the dataset {url}/. Choose a folder outside of it.",
        )
    assert s3.objects(f"{url}/").keys() == before
    for name in before:
        if name.startswith(".facesieve/"):
            s3.delete(f"{url}/{name}")
    assert error_of(lambda: build_in_bucket(ten_photos, f"{url}/deep", tmp_path / "inner"))[0] == "inside_a_dataset"
    s3.delete(f"{url}/dataset.json")
    build_in_bucket(ten_photos, f"{url}/deep", tmp_path / "inner")


@pytest.mark.slow
def test_a_dataset_that_changes_while_it_is_copied_leaves_no_finished_copy(
    s3: S3Server, url: str, ten_photos: Path, tmp_path: Path, ten_published: dict[str, bytes]
) -> None:
    build_in_bucket(ten_photos, url, tmp_path / "work")

    def change(line: str) -> None:
        s3.put(f"{url}/contact_sheet.html", b"changed")

    code, _ = error_of(lambda: pull(url, tmp_path / "copy", settings=Settings(bucket_tries=1), announce=change))
    assert code in ("cannot_read", "dataset_changed")
    assert not (tmp_path / "copy" / "dataset.json").exists()


@pytest.mark.slow
def test_the_command_builds_into_a_bucket(
    s3: S3Server, url: str, run: Run, astronaut: Path, hopper: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the networks. The working folder is in the cache, which has the models."""
    cache = shutil.copytree(Settings.load().cache_dir, tmp_path / "cache", ignore=shutil.ignore_patterns("buckets"))
    monkeypatch.setenv("FACESIEVE_CACHE_DIR", str(cache))
    shared = ("build", astronaut, hopper, "--workers", 1)
    status, said, err = run(*shared, "-o", url)
    assert status == 0 and f"look at {url}/contact_sheet.html" in said, err
    assert run(*shared, "-o", tmp_path / "local", "--crops-as", "shards")[0] == 0
    assert published(s3, url) == files_in(tmp_path / "local")
    [work] = (cache / "buckets").iterdir()
    assert files_in(work) == files_in(tmp_path / "local")
    status, said, _ = run(*shared, "-o", f"{url}/", "--json", "-q")
    assert (status, json.loads(said)["dataset"]) == (0, f"{url}/")
    status, _, err = run(*shared, "-o", url, "--keep-rejected")
    assert status == 2 and f"error: {url} was built with other options" in err


@pytest.mark.slow
def test_shards_in_a_bucket_are_copied_and_merged(
    s3: S3Server, url: str, run: Run, astronaut: Path, hopper: Path, tmp_path: Path
) -> None:
    shared = ("build", astronaut, hopper, "--workers", 1, "--crops-as", "shards", "-q")
    for part in ("1/2", "2/2"):
        place = f"{url}/{part[0]}"
        assert run(*shared, "--shard", part, "-o", place, "--work-folder", tmp_path / f"work{part[0]}")[0] == 0
        assert run("pull", place, tmp_path / part[0], "-q")[0] == 0
    assert run("merge", tmp_path / "1", tmp_path / "2", "-o", tmp_path / "merged")[0] == 0
    assert run(*shared, "-o", tmp_path / "local")[0] == 0
    assert files_in(tmp_path / "merged") == files_in(tmp_path / "local")

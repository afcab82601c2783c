"""Builds that write their dataset into real servers of S3 and of Azure Blob Storage."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
import skimage.data
from azure_server import AzureServer
from bucket_building import build_in_bucket
from bucket_datasets import LEASE, error_of, local_build, published, put_lease
from s3_server import S3Server

from facesieve.buckets import ABSENT, BucketUrl, Stores
from facesieve.errors import DatasetError
from facesieve.run.bucket_dataset import BucketDataset
from facesieve.run.progress import Progress
from facesieve.run.pull import pull
from facesieve.settings import Settings
from facesieve.sources.remote.fetch import Fetcher
from facesieve.sources.remote.objects import Objects
from filmed import film, walking
from handmade import files_in

Run = Callable[..., tuple[int, str, str]]
Store = S3Server | AzureServer


@pytest.fixture(params=["s3", "azure"])
def store(request: pytest.FixtureRequest) -> Store:
    server: Store = request.getfixturevalue(request.param)
    return server


@pytest.fixture
def url(store: Store) -> str:
    """A folder of a bucket that is empty, with a name that needs encoding."""
    return f"{store.folder()}data set 😀/100%"


def test_another_machine_adds_removes_and_continues_with_the_same_bytes(
    store: Store, url: str, ten_photos: Path, tmp_path: Path, ten_published: dict[str, bytes]
) -> None:
    some = shutil.copytree(ten_photos, tmp_path / "some")
    for name in ("Ada/007.png", "Grace/008.png", "Grace/not Grace.png"):
        (some / name).unlink()
    build_in_bucket(some, url, tmp_path / "first")
    assert published(store, url) == local_build(some, tmp_path / "local")
    said: list[str] = []
    result = build_in_bucket(ten_photos, url, tmp_path / "second", announce=said.append)
    assert result.progress.total == 3
    assert len(said) == 1 and said[0].startswith("copying ") and str(tmp_path / "second") in said[0]
    assert published(store, url) == ten_published
    # The first machine has an old copy now, and takes what the second one has written.
    assert build_in_bucket(ten_photos, url, tmp_path / "first").progress.total == 0
    assert files_in(tmp_path / "first") == ten_published == published(store, url)


@pytest.mark.slow
def test_a_manifest_that_grows_becomes_a_folder(store: Store, url: str, ten_photos: Path, tmp_path: Path) -> None:
    build_in_bucket(ten_photos, url, tmp_path / "work")
    assert build_in_bucket(ten_photos, url, tmp_path / "other", manifest_rows=5).progress.total == 0
    names = published(store, url).keys()
    assert "faces.parquet/part-00001.parquet" in names and "faces.parquet" not in names
    build_in_bucket(ten_photos, url, tmp_path / "work", manifest_rows=5)
    assert published(store, url) == files_in(tmp_path / "work") == files_in(tmp_path / "other")


def test_a_second_build_is_told_who_writes_and_an_expired_lease_is_taken_over(
    store: Store, url: str, ten_photos: Path, tmp_path: Path, ten_published: dict[str, bytes]
) -> None:
    put_lease(store, url, seconds=3600)
    code, message = error_of(lambda: build_in_bucket(ten_photos, url, tmp_path / "work"))
    assert (
        code == "in_use" and f"{url}/ is being written by process 7 on elsewhere, whose lease lasts until " in message
    )
    put_lease(store, url, seconds=0)
    build_in_bucket(ten_photos, url, tmp_path / "work")
    assert published(store, url) == ten_published
    assert json.loads(store.objects(f"{url}/")[LEASE])["seconds"] == 0


def test_two_builds_at_once_the_second_is_told(store: Store, url: str, ten_photos: Path, tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []

    def watch(output: BucketDataset, progress: Progress) -> None:
        if progress.done == 1:
            told.append(error_of(lambda: build_in_bucket(ten_photos, url, tmp_path / "other")))
            told.append(error_of(lambda: build_in_bucket(ten_photos, url, tmp_path / "work")))

    build_in_bucket(ten_photos, url, tmp_path / "work", watch)
    assert [code for code, _ in told] == ["in_use", "in_use"]
    assert "whose lease lasts until" in told[0][1] and "on this machine" in told[1][1]


def test_a_build_whose_lease_was_taken_stops_and_writes_nothing_more(
    store: Store, url: str, ten_photos: Path, tmp_path: Path
) -> None:
    seen: dict[str, bytes] = {}

    def watch(output: BucketDataset, progress: Progress) -> None:
        if progress.done == 10:
            put_lease(store, url, seconds=3600)
            until = time.monotonic() + 120
            while time.monotonic() < until:
                time.sleep(0.1)
                try:
                    output.check()
                except DatasetError:
                    time.sleep(2)  # what was on its way arrives
                    seen.update(store.objects(f"{url}/"))
                    raise

    code, message = error_of(lambda: build_in_bucket(ten_photos, url, tmp_path / "work", watch, bucket_lease=20))
    assert (code, "because process 7 on elsewhere took it over" in message) == ("lease_lost", True)
    assert seen and store.objects(f"{url}/") == seen and "dataset.json" not in seen


def test_a_dataset_of_clips_is_whole_in_a_bucket(store: Store, url: str, run: Run, tmp_path: Path) -> None:
    face = cv2.resize(skimage.data.astronaut()[0:256, 96:352], (200, 200), interpolation=cv2.INTER_AREA)
    film(tmp_path / "walk.mp4", walking(face, 20))
    options = ("--workers", 1, "--setting", "pose=geometric", "-q")
    status, said, errors = run("build", tmp_path / "walk.mp4", "-o", url, "--work-folder", tmp_path / "work", *options)
    assert status == 0, errors
    assert run("pull", url, tmp_path / "copy", "-q") == (0, said, "")
    assert files_in(tmp_path / "copy") == files_in(tmp_path / "work")
    assert run("check", tmp_path / "copy")[0] == 0
    assert run("build", tmp_path / "walk.mp4", "-o", tmp_path / "copy", *options) == (0, said, "")


def test_a_finished_dataset_is_copied_into_a_folder(
    store: Store, url: str, ten_photos: Path, tmp_path: Path, ten_published: dict[str, bytes], run: Run
) -> None:
    assert error_of(lambda: pull(url, tmp_path / "none"))[0] == "unfinished"
    build_in_bucket(ten_photos, url, tmp_path / "work")
    status, said, _ = run("pull", url, tmp_path / "copy")
    assert status == 0 and " kept + " in said
    assert files_in(tmp_path / "copy") == ten_published
    assert run("check", tmp_path / "copy")[0] == 0
    assert error_of(lambda: pull(url, tmp_path / "copy"))[0] == "not_empty"
    shutil.copytree(tmp_path / "copy", tmp_path / "begun")
    (tmp_path / "begun" / "dataset.json").unlink()
    pull(url, tmp_path / "begun")
    assert files_in(tmp_path / "begun") == ten_published


def test_a_person_is_forgotten_in_a_bucket(
    store: Store, url: str, ten_photos: Path, tmp_path: Path, run: Run, ten_published: dict[str, bytes]
) -> None:
    build_in_bucket(ten_photos, url, tmp_path / "work")
    status, said, err = run("forget", url, "--label", "Ada", "--work-folder", tmp_path / "other")
    assert (status, said.startswith("forgotten: ")) == (0, True), err
    left = shutil.copytree(ten_photos / "Grace", tmp_path / "some" / "Grace").parent
    assert published(store, url).keys() == local_build(left, tmp_path / "local").keys()
    assert not [name for name, data in store.objects(f"{url}/").items() if "Ada" in name or b"Ada/" in data]
    status, _, err = run("forget", url, "--label", "Nobody", "--work-folder", tmp_path / "other")
    assert status == 2 and f"{url} has no label 'Nobody'" in err
    status, _, err = run("forget", f"{url}-2", "x", "--work-folder", tmp_path / "none")
    assert status == 2 and f"{url}-2/dataset.json is missing" in err
    assert store.objects(f"{url}-2/") == {}


def test_objects_of_any_key_are_written_on_a_condition_listed_read_and_deleted(azure: AzureServer) -> None:
    keys = [
        "a//b.jpg",
        "/lead.jpg",
        "../up.jpg",
        "a/./b.jpg",
        "100%.jpg",
        "%20.jpg",
        "a b+c.jpg",
        "n\nl.jpg",
        "😀?#.jpg",
    ]

    async def check() -> None:
        fetcher = Fetcher(Settings(fetch_tries=1), stores=Stores(writing=True))
        objects = Objects(fetcher, BucketUrl.parse(azure.folder()), 1)
        written = {key: await objects.write(key, key.encode(), ABSENT) for key in keys}
        assert {one.key: one.version async for one in objects.listed()} == written
        for key in keys:
            content = await objects.read(key, 100)
            assert content and (content.data, content.version) == (key.encode(), written[key])
            assert await objects.version(key) == written[key]
            assert await objects.write(key, b"x", ABSENT) is None
            newer = await objects.write(key, b"newer", written[key])
            assert newer and await objects.write(key, b"x", written[key]) is None
            await objects.delete(key)
            await objects.delete(key)
            assert (await objects.read(key, 100), await objects.version(key)) == (None, None)
            assert await objects.write(key, b"x", newer) is None, "an object that is gone has no version"
        assert [one async for one in objects.listed()] == []

    asyncio.run(check())


def test_a_wrong_key_and_a_missing_container_are_one_sentence(
    azure: AzureServer, ten_photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = azure.folder().replace("photos", "no-such-container")
    assert error_of(lambda: build_in_bucket(ten_photos, missing, tmp_path / "work")) == (
        "cannot_read",
        f"Cannot read {missing}: The host answered with status 404 (Not Found, ContainerNotFound).",
    )
    folder = azure.folder()
    [(name, value)] = azure.environment("d3Jvbmc=").items()
    monkeypatch.setenv(name, value)
    assert error_of(lambda: build_in_bucket(ten_photos, folder, tmp_path / "other")) == (
        "cannot_read",
        f"Cannot read {folder}: The host answered with status 403 (Forbidden, AuthorizationFailure).",
    )

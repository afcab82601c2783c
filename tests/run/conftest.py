"""Photos that tests of builds share within a file, and a copy of the dataset that a file makes of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from whole_dataset import again

from handmade import photos


@pytest.fixture(scope="module")
def heap(tmp_path_factory: pytest.TempPathFactory, astronaut: Path) -> Path:
    """The pictures of two people; tests do not change them."""
    return photos(tmp_path_factory.mktemp("heap"), astronaut)


@pytest.fixture(scope="module")
def good(heap: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of four shards with every kind of file. A file of tests may have another one."""
    root = tmp_path_factory.mktemp("good") / "out"
    again(heap, root)
    return root


@pytest.fixture
def out(good: Path, tmp_path: Path) -> Path:
    """A copy, for one test, of the dataset `good` of its file."""
    return shutil.copytree(good, tmp_path / "out")


@pytest.fixture(scope="session")
def ten_photos(tmp_path_factory: pytest.TempPathFactory, astronaut: Path) -> Path:
    """Ten pictures for builds into buckets; tests do not change them."""
    return photos(tmp_path_factory.mktemp("ten"), astronaut, count=10)


@pytest.fixture(scope="session")
def ten_published(ten_photos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The published files of a build of `ten_photos` into a local folder."""
    from bucket_datasets import local_build  # needs the extra `cloud`, which other tests of this folder do not need

    return local_build(ten_photos, tmp_path_factory.mktemp("ten") / "out")

"""Builds by rules that compare all faces: the dataset is that of one build and one `sieve`, however it was built."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from twin_photos import TWINS, hopper, photos_of_ada, write_photos

import facesieve
from facesieve.errors import UsageError
from facesieve.run.check import check_dataset
from facesieve.run.forget import forget
from facesieve.run.repair import repair_dataset
from facesieve.settings import Settings
from facesieve.sieve import Policy
from handmade import files_in


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people; one of them also mirrored and blurred, made smaller, in a blank one, and under a second label."""
    ada = photos_of_ada()
    others = {
        "ada/4 blank.png": np.full((80, 80, 3), 90, np.uint8),
        "ben/5 same.jpg": ada["ada/1.png"],
        "grace/6.png": cv2.resize(hopper(), (256, 300), interpolation=cv2.INTER_AREA),
    }
    return write_photos(ada | others, tmp_path_factory.mktemp("photos"))


def build(sources: Any, root: Path, policy: Policy = TWINS, workers: int = 1, **options: Any) -> facesieve.BuildResult:
    settings = Settings.load(workers=workers, pose="geometric", **options.pop("settings", {}))
    return facesieve.build(sources, root, settings=settings, policy=policy, label_from="folder", **options)


def no_links(*paths: object) -> None:
    raise OSError(18, "Invalid cross-device link")


def names_of(dataset: Path) -> dict[str, str | None]:
    """The file name of the crop of each face, by the first character of its source."""
    rows = facesieve.open_dataset(dataset).faces.to_pylist()
    return {Path(row["source"]).name[0]: row["file_name"] for row in rows}


def crops_in(dataset: Path) -> list[str]:
    return sorted(name for name in files_in(dataset) if name.endswith(".png"))


def kept_in(dataset: Path) -> set[str]:
    rows = facesieve.open_dataset(dataset).faces.to_pylist()
    return {Path(row["source"]).name[0] for row in rows if row["kept"]}


def assert_whole(dataset: Path) -> None:
    found = check_dataset(dataset)
    assert (found.faults, found.without_sum, found.undone, found.foreign) == ((), 0, 0, ())


@pytest.fixture(scope="module")
def whole(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("whole") / "d"
    build(photos, root)
    return root


@pytest.fixture(scope="module")
def in_tars(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tars") / "d"
    build(photos, root, crops_as="shards")
    return root


def test_only_the_fittest_of_near_duplicates_is_kept_and_the_others_lie_in_rejected(whole: Path) -> None:
    dataset = facesieve.open_dataset(whole)
    rows = dataset.faces.to_pylist()
    assert [row["rank_among_duplicates"] for row in rows].count(1) == 2
    fallen = [row for row in rows if not row["kept"]]
    assert [row["reasons"] for row in fallen] == [["near_duplicate"]] * 3
    assert {row["file_name"].partition("/")[0] for row in fallen} == {"rejected"}
    assert crops_in(whole) == sorted(row["file_name"] for row in rows)
    assert dataset.about.origin.policy.name == TWINS.name
    assert [dataset.about.counts.kept, dataset.about.counts.rejected] == [2, 3]
    assert sum(row["kept"] for row in dataset.pictures.to_pylist()) == 2
    assert_whole(whole)


def test_a_build_has_the_rows_of_a_build_and_a_sieve(whole: Path, photos: Path, tmp_path: Path) -> None:
    build(photos, tmp_path / "plain", Policy.preset("lenient"))
    sieved = facesieve.open_dataset(tmp_path / "plain").rejudge(TWINS).faces
    built = facesieve.open_dataset(whole).faces
    shared = [name for name in sieved.column_names if name != "file_name"]
    assert built.select(shared).equals(sieved.select(shared))
    other = Policy.preset("lenient")
    assert facesieve.open_dataset(whole).rejudge(other).after.kept == 5
    facesieve.open_dataset(whole).rejudge(other, tmp_path / "again")
    assert len(crops_in(tmp_path / "again")) == 5
    assert_whole(tmp_path / "again")


@pytest.mark.parametrize("how", ["workers", "small shards", "in steps", "without links", "merged", "twice"])
@pytest.mark.parametrize("crops_as", ["files", "shards"])
def test_it_has_the_same_bytes_however_it_was_built(
    photos: Path, whole: Path, in_tars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, crops_as: str
) -> None:
    if how == "without links":  # as on a file system that has none
        monkeypatch.setattr(os, "link", no_links)
    root, options = tmp_path / "d", {"crops_as": crops_as}
    if how == "workers":
        build(photos, root, workers=2, **options)
    elif how == "small shards":
        build(photos, root, settings={"shard_size": 1}, **options)
    elif how in ("in steps", "without links"):  # the fittest face comes first or last, and verdicts change both ways
        for name in ("ada/3 small.jpg", "ben", "grace", "ada"):
            build(photos / name, root, **options)
        build(photos, root, **options)
    elif how == "merged":
        for number in (1, 2, 3):
            build(photos, tmp_path / f"part {number}", shard=(number, 3), **options)
        facesieve.merge([tmp_path / f"part {number}" for number in (1, 2, 3)], root)
    else:
        build(photos, root, **options)
        build(photos, root, **options)
    assert files_in(root) == files_in(whole if crops_as == "files" else in_tars)
    assert_whole(root)


def test_with_rejected_crops_kept_the_same_faces_are_kept(photos: Path, whole: Path, tmp_path: Path) -> None:
    build(photos, tmp_path / "d", keep_rejected=True)
    assert names_of(tmp_path / "d") == names_of(whole)
    assert_whole(tmp_path / "d")


def test_a_face_that_fell_comes_back_when_the_fitter_one_is_forgotten(
    photos: Path, whole: Path, tmp_path: Path
) -> None:
    root = shutil.copytree(whole, tmp_path / "d")
    while len(facesieve.open_dataset(root).faces) > 1:
        [best] = {name for name in kept_in(root) if name != "6"}
        [row] = [row for row in facesieve.open_dataset(root).faces.to_pylist() if Path(row["source"]).name[0] == best]
        forget(root, [row["face_id"]] if best != "5" else [str(next((photos / "ben").iterdir()))], Settings.load())
        assert_whole(root)
    assert kept_in(root) == {"6"}
    assert [name.partition("/")[0] for name in crops_in(root)] == ["kept"]


def test_a_duplicate_that_counts_later_names_the_crop_that_is_there(photos: Path, tmp_path: Path) -> None:
    """The first of two equal files fell; then it is removed, and the second one counts."""
    more = tmp_path / "p" / "ada"
    more.mkdir(parents=True)
    shutil.copy(photos / "ada" / "3 small.jpg", more / "a.jpg")
    shutil.copy(photos / "ada" / "1.png", more / "z.png")
    build(tmp_path / "p", tmp_path / "d")
    shutil.copy(more / "a.jpg", more / "b.jpg")
    build(tmp_path / "p", tmp_path / "d")
    assert_whole(tmp_path / "d")
    (more / "a.jpg").unlink()
    result = build(tmp_path / "p", tmp_path / "d", prune=True)
    assert (result.damaged, result.counts.kept, result.counts.rejected) == ((), 1, 1)
    assert_whole(tmp_path / "d")


@pytest.mark.parametrize("crops_as", ["files", "shards"])
def test_lost_crops_are_made_again(photos: Path, whole: Path, in_tars: Path, tmp_path: Path, crops_as: str) -> None:
    expected = whole if crops_as == "files" else in_tars
    root = shutil.copytree(expected, tmp_path / "d")
    lost = [path for path in root.rglob("*") if path.suffix in (".png", ".tar")]
    for path in lost:
        path.unlink()
    assert len(check_dataset(root).faults) == len(lost)
    repair_dataset(root, Settings.load())
    build(photos, root, crops_as=crops_as)
    assert files_in(root) == files_in(expected)
    assert_whole(root)


def test_a_damaged_crop_of_a_face_that_fell_is_made_again(photos: Path, whole: Path, tmp_path: Path) -> None:
    root = shutil.copytree(whole, tmp_path / "d")
    fallen = next((root / "rejected").rglob("*.png"))
    fallen.write_bytes(fallen.read_bytes()[:-1] + b"!")
    assert [fault.name for fault in check_dataset(root).faults] == [fallen.relative_to(root).as_posix()]
    repair_dataset(root, Settings.load())
    build(photos, root)
    assert files_in(root) == files_in(whole)


def test_marked_pictures_would_show_verdicts_too_early(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Build without --marked and --marked-video, or without that rule") as caught:
        build(photos, tmp_path / "d", marked=True)
    assert caught.value.code == "marked_too_early" and "rank_among_duplicates" in caught.value.message
    assert not (tmp_path / "d").exists()


def test_without_any_face_and_with_one(photos: Path, tmp_path: Path) -> None:
    build(photos / "ada" / "4 blank.png", tmp_path / "none")
    assert facesieve.open_dataset(tmp_path / "none").about.counts.faces == 0
    build(photos / "grace", tmp_path / "one")
    assert kept_in(tmp_path / "one") == {"6"}
    assert_whole(tmp_path / "one")

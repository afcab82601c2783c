"""Limits that separate good from bad examples, and how examples are found."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from given import Given, given_dataset

from facesieve import Dataset, DatasetError, Policy, UsageError
from facesieve.fit.by_examples import fit_examples, wilson
from facesieve.fit.separate import separate

COUNT = 150


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Good faces are sharp and look ahead; the other measures are chance."""
    random = np.random.default_rng(0)
    pictures = {}
    for number in range(COUNT):
        drawn = {name: random.uniform(0, 100) for name in ("blur", "dynamic_range", "sharpness")}
        drawn["yaw"] = random.uniform(-60, 60)
        pictures[f"{number:03d}.png"] = [Given(None, measures=drawn)]
    return given_dataset(tmp_path_factory.mktemp("examples") / "d", pictures, model=None)


def is_good(row: dict[str, float]) -> bool:
    return row["sharpness"] > 30 and abs(row["yaw"]) < 40


def sorted_ids(dataset: Dataset, folder: Path) -> tuple[Path, Path]:
    good, bad = folder / "good.txt", folder / "bad.txt"
    rows = dataset.faces.to_pylist()
    good.write_text("\n".join(row["face_id"] for row in rows if is_good(row)))
    bad.write_text("\n".join(row["face_id"].upper() for row in rows if not is_good(row)))
    return good, bad


def test_the_two_limits_that_decide_are_found_and_others_are_not(dataset: Dataset, tmp_path: Path) -> None:
    fitted = fit_examples(dataset, *sorted_ids(dataset, tmp_path))
    limits = {rule.measure: rule for rule in fitted.policy.rules}
    assert set(limits) == {"sharpness", "yaw"}
    assert limits["sharpness"].low == pytest.approx(30, abs=5)
    assert limits["yaw"].high == pytest.approx(40, abs=5) == -limits["yaw"].low  # type: ignore[operator]
    assert fitted.facts["good_rejected"]["share"] == fitted.facts["bad_kept"]["share"] == 0
    assert 0 <= fitted.facts["unseen_bad_kept"]["share"] < 0.2
    assert fitted.facts["kept"] == fitted.facts["good"] == sum(map(is_good, dataset.faces.to_pylist()))
    assert "In cross-validation this limit was between" in fitted.of_rules["yaw"][0]
    file = tmp_path / "mine.toml"
    file.write_text(fitted.toml("d"))
    assert dataset.rejudge(Policy.load(str(file))).after.kept == fitted.facts["kept"]


def test_unseen_errors_of_labels_by_chance_are_about_one_half() -> None:
    random = np.random.default_rng(1)
    scores = {f"{at}": random.random(200) for at in range(10)}
    good = random.random(200) < 0.5
    found = separate(scores, good)
    unseen = (np.mean(~found.kept_unseen[good]) + np.mean(found.kept_unseen[~good])) / 2
    seen = (np.mean(~found.kept[good]) + np.mean(found.kept[~good])) / 2
    assert 0.4 < unseen < 0.6
    assert seen < unseen


def test_a_value_that_is_missing_counts_as_the_worst() -> None:
    scores = {"yaw": np.array([1.0, 2.0, 3.0, 4.0, 5.0, *[np.nan] * 5])}
    found = separate(scores, np.arange(10) < 5)
    assert found.kept.tolist() == [True] * 5 + [False] * 5
    assert 0 < found.limits[0].least <= 1 or found.limits[0].least < 1


def test_only_named_measures_are_limited(dataset: Dataset, tmp_path: Path) -> None:
    fitted = fit_examples(dataset, *sorted_ids(dataset, tmp_path), ("yaw",))
    assert [rule.measure for rule in fitted.policy.rules] == ["yaw"]
    assert fitted.facts["bad_kept"]["share"] > 0.2


def test_crops_and_pictures_are_found_by_name_and_by_content(dataset: Dataset, tmp_path: Path) -> None:
    for row in dataset.faces.to_pylist():
        folder = tmp_path / ("good" if is_good(row) else "bad") / "deeper"
        folder.mkdir(parents=True, exist_ok=True)
        if row["sharpness"] > 50:
            shutil.copy(dataset.layout.root / row["file_name"], folder)
        else:
            (folder / f"renamed {row['source']}").write_bytes(row["source"].encode())
    by_files = fit_examples(dataset, tmp_path / "good", tmp_path / "bad")
    assert by_files.policy == fit_examples(dataset, *sorted_ids(dataset, tmp_path)).policy


def test_of_a_picture_with_several_faces_the_main_one_counts(tmp_path: Path) -> None:
    pictures = {
        f"{at}.png": [Given(None, size=20, measures={"blur": 1}), Given(None, size=90, measures={"blur": 10 + at})]
        for at in range(10)
    }
    dataset = given_dataset(tmp_path / "d", pictures, model=None)
    for at in range(10):
        file = tmp_path / ("good" if at > 4 else "bad") / f"{at}.png"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(f"{at}.png".encode())
    fitted = fit_examples(dataset, tmp_path / "good", tmp_path / "bad", ("blur",))
    assert 14 < fitted.policy.rules[0].low <= 15  # type: ignore[operator]


@pytest.mark.parametrize(
    ("code", "good", "bad"),
    [
        ("no_such_file", None, "b" * 5),
        ("no_examples", "", "b" * 5),
        ("too_few_examples", "a" * 4, "b" * 5),
        ("examples_overlap", "a" * 5, "a" * 5),
        ("unknown_examples", "x" * 5, "b" * 5),
    ],
)
def test_bad_examples_are_refused(dataset: Dataset, tmp_path: Path, code: str, good: str | None, bad: str) -> None:
    ids = dataset.faces["face_id"].to_pylist()
    chosen = {"a": ids[:10], "b": ids[10:20], "x": ["no such id"] * 10}
    for name, text in (("good", good), ("bad", bad)):
        if text is not None:
            (tmp_path / name).write_text("\n".join(chosen[letter][at] for at, letter in enumerate(text)))
    with pytest.raises(UsageError) as caught:
        fit_examples(dataset, tmp_path / "good", tmp_path / "bad")
    assert caught.value.code == code
    assert str(tmp_path) in caught.value.message


def test_folders_that_are_one_folder_overlap(dataset: Dataset, tmp_path: Path) -> None:
    good, _ = sorted_ids(dataset, tmp_path)
    with pytest.raises(UsageError) as caught:
        fit_examples(dataset, good, good)
    assert caught.value.code == "examples_overlap"


def test_examples_that_no_measure_tells_apart_are_refused(tmp_path: Path) -> None:
    pictures = {f"{at}.png": [Given(None)] for at in range(12)}
    dataset = given_dataset(tmp_path / "d", pictures, model=None)
    ids = dataset.faces["face_id"].to_pylist()
    (tmp_path / "good").write_text("\n".join(ids[:6]))
    (tmp_path / "bad").write_text("\n".join(ids[6:]))
    with pytest.raises(DatasetError) as caught:
        fit_examples(dataset, tmp_path / "good", tmp_path / "bad")
    assert caught.value.code == "not_separable"


@pytest.mark.parametrize(
    ("count", "total", "low", "high"), [(0, 10, 0, 0.278), (5, 10, 0.237, 0.763), (10, 10, 0.722, 1)]
)
def test_the_interval_of_a_share_is_that_of_wilson(count: int, total: int, low: float, high: float) -> None:
    assert wilson(count, total) == pytest.approx((low, high), abs=0.001)

"""Errors while the worst faces are discarded: pairs, rates, bands and what is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from given import Given, given_dataset

from facesieve import Dataset, DatasetError, Policy, PolicyError
from facesieve.fit.compared import compare
from facesieve.fit.curve import error_curves
from facesieve.fit.curve_lines import csv, lines
from facesieve.fit.curve_records import Curve, Curves
from vectors import people

POLICY = Policy.parse({"name": "mine", "rules": [{"measure": "sharpness", "low": 10}]})
PEOPLE, EACH = 30, 6


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The embedding of a face is as far from its person's as its sharpness is low; blur is chance."""
    random = np.random.default_rng(0)
    middles, _ = people([1] * PEOPLE, spread=0)
    pictures = {}
    for person, middle in enumerate(middles):
        for number in range(EACH):
            sharpness = random.uniform(0, 100)
            vector = middle + random.normal(0, 0.045 * (1.2 - sharpness / 100), 128)
            drawn = {"sharpness": sharpness, "blur": random.uniform(0, 100)}
            pictures[f"{person:02d}/{number}.png"] = [Given(vector, measures=drawn)]
    return given_dataset(tmp_path_factory.mktemp("curve") / "d", pictures)


@pytest.fixture(scope="module")
def found(dataset: Dataset) -> Curves:
    return error_curves(dataset, POLICY)


def curve(found: Curves, name: str, far: float = 1e-2) -> Curve:
    return next(one for one in found.curves if (one.measure, one.far) == (name, far))


def test_the_rates_are_those_of_a_direct_count(dataset: Dataset, found: Curves) -> None:
    rows, vectors = dataset.faces.to_pylist(), dataset.vectors.astype(float)
    one, other = np.triu_indices(len(rows), 1)
    label = np.array([row["label"] for row in rows])
    apart = np.linalg.norm(vectors[one] - vectors[other], axis=1)
    wrong = np.sort(apart[label[one] != label[other]])
    limit = wrong[int(0.01 * len(wrong)) - 1]
    assert found.limits[1e-2] == pytest.approx(limit, abs=1e-5)
    sharpness = np.array([row["sharpness"] for row in rows])
    for step, share in enumerate(found.discarded):
        left = np.argsort(np.argsort(sharpness)) >= round(share * len(rows))
        pairs = (label[one] == label[other]) & left[one] & left[other]
        assert curve(found, "sharpness").fnmr[step] == pytest.approx((apart[pairs] > limit).mean(), abs=1e-6)


def test_a_measure_that_predicts_errors_gains_and_chance_does_not(found: Curves) -> None:
    sharp, blur, random = (curve(found, name) for name in ("sharpness", "blur", "random"))
    assert sharp.gain > 0.4  # type: ignore[operator]
    assert sharp.gain_low > random.gain_high  # type: ignore[operator]
    assert random.gain_low < blur.gain < random.gain_high  # type: ignore[operator]
    assert random.gain == 0 and len(set(random.fnmr)) == 1
    assert found.curves[0].measure in ("sharpness", "policy")
    assert curve(found, "policy").fnmr == sharp.fnmr, "a policy with one rule orders faces as its measure"
    assert all(low <= rate <= high for low, rate, high in zip(sharp.low, sharp.fnmr, sharp.high, strict=True))  # type: ignore[operator]


def test_the_same_dataset_has_the_same_curves(dataset: Dataset, found: Curves) -> None:
    assert error_curves(dataset, POLICY) == found


def test_counts_and_lines_and_csv_agree(found: Curves) -> None:
    assert (found.faces, found.labels, found.people) == (PEOPLE * EACH, PEOPLE, PEOPLE)
    assert found.right_pairs == PEOPLE * EACH * (EACH - 1) // 2
    assert found.wrong_pairs == PEOPLE * EACH * (PEOPLE * EACH - 1) // 2 - found.right_pairs
    assert found.notes == ()
    text = "\n".join(lines(found))
    assert "450 right pairs, 15,660 wrong pairs" in text
    rows = [line.split(",") for line in csv(found).splitlines()]
    assert rows[0] == ["far", "measure", "discarded", "fnmr", "low", "high"]
    assert len(rows) == 1 + len(found.curves) * len(found.discarded)
    first = next(row for row in rows if row[:3] == ["0.01", "sharpness", "0"])
    assert float(first[3]) == pytest.approx(curve(found, "sharpness").fnmr[0], rel=1e-4)


def test_near_duplicates_and_bystanders_are_no_pairs(tmp_path: Path) -> None:
    vectors, _ = people([4, 4])
    same = hashlib.sha256(b"one picture").digest()
    pictures = {
        "ada/1.png": [Given(vectors[0], hash_=same), Given(vectors[0], size=5)],
        "ada/2.png": [Given(vectors[1], hash_=same)],
        "ada/3.png": [Given(vectors[2])],
        "ben/1.png": [Given(vectors[4])],
        "1.png": [Given(vectors[5])],
    }
    dataset = given_dataset(tmp_path / "d", pictures)
    pairs = compare(dataset)
    sources = dataset.faces["source"].to_pylist()
    named = {tuple(sources[row] for row in pair) for pair in pairs.right.tolist()}
    assert named == {("ada/1.png", "ada/3.png"), ("ada/2.png", "ada/3.png")}
    assert (pairs.faces, pairs.labels, len(pairs.right), len(pairs.wrong)) == (4, 2, 2, 3)


def test_large_labels_are_sampled_and_the_sample_is_the_same_again(tmp_path: Path) -> None:
    vectors, owner = people([60, 3])
    pictures = {f"{who}/{row:02d}.png": [Given(v)] for row, (v, who) in enumerate(zip(vectors, owner, strict=True))}
    dataset = given_dataset(tmp_path / "d", pictures)
    first, again = compare(dataset), compare(dataset)
    assert len(first.right) == 500 + 3
    np.testing.assert_array_equal(first.right, again.right)
    assert len({tuple(pair) for pair in first.right.tolist()}) == 503
    assert (first.right[:, 0] != first.right[:, 1]).all()


def test_few_labels_and_few_wrong_pairs_are_said(tmp_path: Path) -> None:
    vectors, _ = people([2, 2])
    pictures = {name: [Given(v)] for name, v in zip(("a/1.png", "a/2.png", "b/1.png", "b/2.png"), vectors, strict=True)}
    found = error_curves(given_dataset(tmp_path / "d", pictures), POLICY)
    assert found.limits == {} and found.curves == ()
    assert "4 wrong pairs: FAR 0.01 needs 1,000 wrong pairs and FAR 0.001 needs 10,000" in found.notes[0]
    assert "Only 2 labels" in found.notes[1]
    assert "2 right pairs, 4 wrong pairs" in "\n".join(lines(found))


@pytest.mark.parametrize(
    ("code", "names", "embedded"),
    [
        ("no_embeddings", ["a/1.png", "b/1.png"], False),
        ("no_labels", ["1.png", "2.png"], True),
        ("one_label", ["a/1.png", "a/2.png"], True),
        ("no_pairs", ["a/1.png", "b/1.png"], True),
        ("no_labels", [], True),
    ],
)
def test_what_cannot_be_compared_is_said(tmp_path: Path, code: str, names: list[str], embedded: bool) -> None:
    vectors, _ = people([1, 1])
    pictures = {name: [Given(v if embedded else None)] for name, v in zip(names, vectors, strict=False)}
    root = tmp_path / "d"
    dataset = given_dataset(root, pictures or {"1.png": []}, **({} if embedded else {"model": None}))  # type: ignore[arg-type]
    with pytest.raises(DatasetError) as caught:
        error_curves(dataset, POLICY)
    assert caught.value.code == code
    assert str(root) in caught.value.message


def test_only_named_measures_have_curves_and_an_unknown_one_is_refused(dataset: Dataset) -> None:
    found = error_curves(dataset, POLICY, ("blur",))
    assert {one.measure for one in found.curves} == {"blur", "policy", "random"}
    with pytest.raises(PolicyError, match="did you mean 'blur'"):
        error_curves(dataset, POLICY, ("blurr",))


def test_a_measure_without_values_has_no_curve(tmp_path: Path) -> None:
    vectors, owner = people([8] * 8)
    unposed = {"yaw": np.nan}
    pictures = {
        f"{who}/{row:02d}.png": [Given(vector, measures=unposed)]
        for row, (vector, who) in enumerate(zip(vectors, owner, strict=True))
    }
    found = error_curves(given_dataset(tmp_path / "d", pictures), POLICY)
    assert found.limits and "yaw" not in {one.measure for one in found.curves}

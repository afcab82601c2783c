"""Limits that keep a share of the faces: what is kept, and what the policy file says."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from given import Given, given_dataset

from facesieve import Dataset, DatasetError, Policy, PolicyError, UsageError
from facesieve.fit.share import fit_keep, fit_reject_rate

RULES = ("sharpness", "yaw", "upsampling")


def policy(*names: str, **more: object) -> Policy:
    """Rules on these measures that reject bad values; which ones, is to be chosen."""
    sides = {name: {"high": 1e9} if name == "upsampling" else {"low": -1e9} for name in names}
    return Policy.parse({"name": "mine", "rules": [{"measure": name} | side | more for name, side in sides.items()]})


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """200 faces whose measures have nothing to do with each other."""
    random = np.random.default_rng(0)
    pictures = {}
    for number in range(200):
        drawn = {"sharpness": random.uniform(0, 100), "yaw": random.normal(0, 20), "upsampling": random.uniform(0, 4)}
        pictures[f"ada/{number:03d}.png"] = [Given(None, measures=drawn)]
    return given_dataset(tmp_path_factory.mktemp("share") / "d", pictures, model=None)


@pytest.mark.parametrize("share", [0.995, 0.8, 0.5, 0.01])
def test_the_policy_keeps_the_share_and_judges_as_it_says(dataset: Dataset, share: float) -> None:
    fitted = fit_keep(dataset, policy(*RULES), share)
    kept = dataset.rejudge(fitted.policy).after.kept
    assert kept == fitted.facts["kept"]
    assert 200 * share <= kept <= 200 * share + 2, "three rules: at most three faces stand equally"


@pytest.mark.parametrize("share", [1e-300, 1e-12, 1e-9, 0.001, 0.005, 1 - 1e-12])
def test_the_least_and_the_greatest_shares_keep_one_face_and_all(dataset: Dataset, share: float) -> None:
    kept = fit_keep(dataset, policy("sharpness"), share).facts["kept"]
    assert kept == (1 if share < 0.5 else 200)
    alone = fit_reject_rate(dataset, policy("sharpness"), share)
    assert dataset.rejudge(alone.policy).after.kept == alone.facts["kept"] == 200 - int(200 * share)


def test_a_greater_share_keeps_all_faces_that_a_smaller_one_keeps(dataset: Dataset) -> None:
    shares = [0.3, 0.5, 0.7, 0.9]
    kept = [np.asarray(dataset.rejudge(fit_keep(dataset, policy(*RULES), one).policy).faces["kept"]) for one in shares]
    assert all((more >= less).all() for less, more in pairwise(kept))


def test_every_rule_alone_rejects_the_same_share(dataset: Dataset) -> None:
    fitted = fit_keep(dataset, policy(*RULES), 0.7)
    alone = [dataset.rejudge(Policy(name="one", rules=(rule,))).after.kept for rule in fitted.policy.rules]
    assert max(alone) - min(alone) <= 1
    assert 200 - alone[0] == pytest.approx(200 * fitted.facts["strictness"], abs=1)


def test_the_reject_rate_is_that_of_each_rule_alone(dataset: Dataset) -> None:
    fitted = fit_reject_rate(dataset, policy(*RULES), 0.1)
    assert [dataset.rejudge(Policy(name="one", rules=(rule,))).after.kept for rule in fitted.policy.rules] == [180] * 3
    assert fitted.facts["kept"] < 180


def test_units_do_not_matter(dataset: Dataset, tmp_path: Path) -> None:
    other = {}
    for row in dataset.faces.to_pylist():
        drawn = {"sharpness": row["sharpness"] ** 3 / 1e4, "yaw": row["yaw"] * 2, "upsampling": row["upsampling"] / 9}
        other[row["source"]] = [Given(None, measures=drawn)]
    theirs = given_dataset(tmp_path / "d", other, model=None)
    kept = [
        one.rejudge(fit_keep(one, policy(*RULES), 0.6).policy).faces["kept"].to_pylist() for one in (dataset, theirs)
    ]
    assert kept[0] == kept[1]


def test_the_file_is_a_policy_with_its_evidence_and_no_name_leaves_its_comment(
    dataset: Dataset, tmp_path: Path
) -> None:
    fitted = fit_keep(dataset, policy("sharpness", "yaw"), 0.8)
    file = tmp_path / "mine.toml"
    file.write_text(fitted.toml('evil\n[[rules]]\nmeasure = "blur"\u2028'))
    assert Policy.load(str(file)) == fitted.policy
    assert [rule.measure for rule in fitted.policy.rules] == ["sharpness", "yaw"]
    text = file.read_text()
    assert f"# --keep 0.8: Keeps {fitted.facts['kept']} of 200 faces" in text
    assert "Rejected by no other rule: " in text and "Values at 5, 25, 50, 75, 95 %" in text
    assert fitted.policy.rules[1].low == -fitted.policy.rules[1].high  # type: ignore[operator]


def test_equal_values_are_kept_together_and_rejected_together(tmp_path: Path) -> None:
    values = [1.0] * 4 + [2.0] * 6
    pictures = {f"{at}.png": [Given(None, measures={"sharpness": one})] for at, one in enumerate(values)}
    dataset = given_dataset(tmp_path / "d", pictures, model=None)
    assert fit_keep(dataset, policy("sharpness"), 0.5).facts["kept"] == 6
    assert fit_keep(dataset, policy("sharpness"), 0.7).facts["kept"] == 10


def test_faces_without_a_value_cannot_be_kept_unless_the_rule_is_optional(tmp_path: Path) -> None:
    yaws = [np.nan] * 5 + [1.0, 2.0, 3.0, 4.0, 5.0]
    pictures = {f"{at}.png": [Given(None, measures={"yaw": one})] for at, one in enumerate(yaws)}
    dataset = given_dataset(tmp_path / "d", pictures, model=None)
    assert fit_keep(dataset, policy("yaw"), 0.4).facts["kept"] == 4
    with pytest.raises(DatasetError, match="5 have no 'yaw'") as caught:
        fit_keep(dataset, policy("yaw"), 0.6)
    assert caught.value.code == "cannot_keep"
    strict = fit_reject_rate(dataset, policy("yaw"), 0.2).of_rules["yaw"][0]
    assert strict == "Rejects 6 faces (60.0 %): 1 by value and 5 without a value. Rejected by no other rule: 6."
    fitted = fit_keep(dataset, policy("yaw", optional=True), 0.7)
    assert fitted.of_rules["yaw"][0].startswith("Rejects 3 faces (30.0 %); passes 5 without a value. ")
    assert fitted.facts["kept"] == dataset.rejudge(fitted.policy).after.kept == 7


def test_relations_and_rules_that_reject_good_values_stay_and_named_measures_replace_all(dataset: Dataset) -> None:
    largest = {"measure": "face_size", "high": 900.0}
    rules = [{"measure": "rank_in_picture", "high": 1}, {"measure": "sharpness", "low": 99}, largest]
    fitted = fit_keep(dataset, Policy.parse({"name": "mine", "rules": rules}), 0.5)
    limits = [(rule.measure, rule.high) for rule in fitted.policy.rules]
    assert limits == [("rank_in_picture", 1), ("sharpness", None), ("face_size", 900)]
    assert "The rules on rank_in_picture, face_size are unchanged" in fitted.evidence[1]
    named = fit_keep(dataset, Policy.parse({"name": "mine", "rules": rules}), 0.5, ("yaw",))
    assert [rule.measure for rule in named.policy.rules] == ["yaw"]


@pytest.mark.parametrize("share", [0, 1, -0.5, 1.5, float("nan")])
def test_what_is_no_share_is_refused(dataset: Dataset, share: float) -> None:
    for fit in (fit_keep, fit_reject_rate):
        with pytest.raises(UsageError) as caught:
            fit(dataset, policy("yaw"), share)
        assert caught.value.code == "bad_share"


def test_unknown_measures_relations_and_policies_without_measures_are_refused(dataset: Dataset) -> None:
    with pytest.raises(PolicyError, match="did you mean 'sharpness'"):
        fit_keep(dataset, policy("yaw"), 0.5, ("sharpnes",))
    with pytest.raises(PolicyError, match="No measure of a single face is called 'label_distance'"):
        fit_keep(dataset, policy("yaw"), 0.5, ("label_distance",))
    with pytest.raises(PolicyError) as caught:
        fit_keep(dataset, policy("rank_in_picture"), 0.5)
    assert caught.value.code == "nothing_to_fit"


def test_a_dataset_without_faces_and_a_measure_that_no_face_has_are_refused(tmp_path: Path) -> None:
    empty = given_dataset(tmp_path / "empty", {"1.png": []}, model=None)
    with pytest.raises(DatasetError) as caught:
        fit_keep(empty, policy("yaw"), 0.5)
    assert caught.value.code == "no_faces"
    unposed = given_dataset(tmp_path / "unposed", {"1.png": [Given(None, measures={"yaw": np.nan})]}, model=None)
    with pytest.raises(DatasetError, match=r"No face of .* has 'yaw'") as caught:
        fit_keep(unposed, policy("yaw"), 0.5)
    assert caught.value.code == "not_measured"


def test_one_face_is_kept(tmp_path: Path) -> None:
    dataset = given_dataset(tmp_path / "d", {"1.png": [Given(None)]}, model=None)
    fitted = fit_keep(dataset, policy("sharpness"), 0.5)
    assert fitted.facts["kept"] == 1
    assert fitted.policy.rules[0].low == 50

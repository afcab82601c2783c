"""`facesieve fit` on the command line: what it prints, what it writes, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from given import Given, given_dataset

from facesieve import Dataset, Policy, open_dataset
from facesieve.cli import main
from vectors import people


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    vectors, owner = people([10] * 6, spread=0.04)
    random = np.random.default_rng(0)
    pictures = {
        f"{who}/{row:02d}.png": [Given(vector, measures={"sharpness": random.uniform(0, 100)})]
        for row, (vector, who) in enumerate(zip(vectors, owner, strict=True))
    }
    return given_dataset(tmp_path_factory.mktemp("fit") / "d", pictures)


def fit(dataset: Dataset | Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    root = dataset if isinstance(dataset, Path) else dataset.layout.root
    command = [sys.executable, "-m", "facesieve", "fit", root, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_policy_is_printed_and_written_and_sieve_uses_it(dataset: Dataset, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    done = fit(dataset, "--keep", "0.5", "--measure", "sharpness", "-o", file)
    assert done.returncode == 0, done.stderr
    assert done.stdout == file.read_text()
    assert "faces: 60 = 30 kept + 30 rejected" in done.stderr
    assert f"--policy {file}" in done.stderr
    assert dataset.rejudge(Policy.load(str(file))).after.kept == 30


def test_json_has_the_policy_and_the_evidence(dataset: Dataset) -> None:
    done = json.loads(fit(dataset, "--reject-rate", "0.1", "--measure", "sharpness", "--json").stdout)
    assert done["kept"] == done["after"]["kept"] == 54
    assert Policy.parse(done["policy"]).rules[0].measure == "sharpness"
    assert done["of_rules"]["sharpness"]


def test_curves_are_printed_and_written_as_csv(dataset: Dataset, tmp_path: Path) -> None:
    file = tmp_path / "curve.csv"
    done = fit(dataset, "--curve", "-o", file)
    assert done.returncode == 0, done.stderr
    assert "60 faces of 6 labels" in done.stdout and "At FAR 0.01" in done.stdout
    assert "gain: by what share" in done.stdout and "95 % of draws: where the gain lies" in done.stdout
    assert "note: Only 6 labels" in done.stderr
    assert file.read_text().startswith("far,measure,discarded,fnmr,low,high\n0.01,")
    assert json.loads(fit(dataset, "--curve", "--json").stdout)["right_pairs"] == 270


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("choose_one", []),
        ("choose_one", ["--keep", "0.5", "--curve"]),
        ("bad_share", ["--keep", "80"]),
        ("bad_output", ["--keep", "0.5", "-o", "policy.txt"]),
        ("bad_output", ["--curve", "-o", "curve.toml"]),
        ("no_such_file", ["--examples", "no-good", "no-bad"]),
        ("unknown_measure", ["--keep", "0.5", "--measure", "beauty"]),
        ("bad_output", ["--keep", "0.5", "-o", ""]),
        ("bad_output", ["--keep", "0.5", "-o", "."]),
        ("unknown_preset", ["--keep", "0.5", "--policy", "stric"]),
        ("unknown_preset", ["--keep", "0.5", "--policy", ""]),
    ],
)
def test_wrong_requests_are_one_sentence_with_a_code(
    dataset: Dataset,
    code: str,
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["facesieve", "fit", str(dataset.layout.root), *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    printed = capsys.readouterr()
    assert (stopped.value.code, printed.out) == (2, "")
    assert printed.err.startswith("error: ") and printed.err.count("\n") == 1
    assert printed.err.endswith(f"[{code}]\n")


def test_no_file_is_overwritten_and_a_folder_that_cannot_be_written_is_named(dataset: Dataset, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("mine")
    done = fit(dataset, "--keep", "0.5", "-o", file)
    assert "[file_exists]" in done.stderr and file.read_text() == "mine"
    (tmp_path / "file").write_text("")
    assert "[cannot_write]" in fit(dataset, "--keep", "0.5", "-o", tmp_path / "file" / "a.toml").stderr
    missing = fit(dataset, "--keep", "0.5", "-o", tmp_path / "none" / "a.toml").stderr
    assert f"there is no folder {tmp_path / 'none'}. Make it first. [cannot_write]" in missing
    assert not (tmp_path / "none").exists()


def test_what_is_no_dataset_and_an_unfinished_one_are_refused(dataset: Dataset, tmp_path: Path) -> None:
    assert "[not_a_dataset]" in fit(tmp_path, "--keep", "0.5").stderr
    half = given_dataset(tmp_path / "half", {"1.png": [Given(None)]}, model=None).layout
    half.about.unlink()
    assert "[unfinished]" in fit(half.root, "--keep", "0.5").stderr
    assert open_dataset(dataset.layout.root).about.counts.faces == 60, "the dataset is as it was"

"""`sieve -o NEW` a second time: the same result is left alone, another one replaces it only as a whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from facesieve.dataset.decision_file import Change, change_decisions
from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.tables.decisions import Effect
from facesieve.errors import DatasetError, UsageError
from facesieve.run.build import build_dataset
from facesieve.run.open_dataset import open_dataset
from facesieve.sieve import Policy
from handmade import Handmade, build_spec, files_in, sources_in

Run = Callable[..., tuple[int, str, str]]


def policy(least: float) -> Policy:
    return Policy.parse({"name": f"blur {least}", "rules": [{"measure": "blur", "low": least, "reason": "blurred"}]})


@pytest.fixture
def dataset(heap: Path, tmp_path: Path) -> Path:
    build_dataset(sources_in(heap), tmp_path / "dataset", Handmade, build_spec(Outputs(keep_rejected=True)))
    return tmp_path / "dataset"


def sieve(dataset: Path, new: Path, least: float, overwrite: bool = False) -> bool:
    """Whether the folder had the result already."""
    return open_dataset(dataset).rejudge(policy(least), new, overwrite=overwrite).already_so


def test_the_same_rules_write_nothing_and_other_rules_need_overwrite(dataset: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    assert not sieve(dataset, new, 20)
    written = {path: path.stat().st_mtime_ns for path in new.rglob("*")}
    assert sieve(dataset, new, 20)
    assert {path: path.stat().st_mtime_ns for path in new.rglob("*")} == written
    before = files_in(new)
    with pytest.raises(DatasetError) as caught:
        sieve(dataset, new, 80)
    assert caught.value.code == "other_rules" and "--overwrite" in caught.value.message and files_in(new) == before
    assert not sieve(dataset, new, 80, overwrite=True)
    sieve(dataset, tmp_path / "fresh", 80)
    assert files_in(new) == files_in(tmp_path / "fresh") != before
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_other_faces_are_another_result(dataset: Path, heap: Path, tmp_path: Path) -> None:
    sieve(dataset, tmp_path / "new", 20)
    shutil.copytree(heap, tmp_path / "heap")
    (tmp_path / "heap" / "Grace" / "002.png").unlink()
    build_dataset(sources_in(tmp_path / "heap"), tmp_path / "other", Handmade, build_spec(Outputs(keep_rejected=True)))
    with pytest.raises(DatasetError) as caught:
        sieve(tmp_path / "other", tmp_path / "new", 20)
    assert caught.value.code == "other_rules"


def test_a_failed_replacement_leaves_the_earlier_result(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = tmp_path / "new"
    sieve(dataset, new, 20)
    before = files_in(new)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("facesieve.run.rejudge.publish_dataset", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        sieve(dataset, new, 80, overwrite=True)
    assert files_in(new) == before
    assert not sieve(dataset, new, 80, overwrite=True)


@pytest.mark.parametrize("name", ["notes.txt", "kept/mine.txt"])
def test_a_folder_with_files_of_the_user_is_never_replaced(dataset: Path, tmp_path: Path, name: str) -> None:
    sieve(dataset, tmp_path / "new", 20)
    (tmp_path / "new" / name).write_text("mine")
    for least in (20, 80):
        with pytest.raises(DatasetError) as caught:
            sieve(dataset, tmp_path / "new", least, overwrite=True)
        assert caught.value.code == "not_empty" and name in caught.value.message


def test_a_dataset_that_a_build_wrote_and_the_dataset_itself_are_never_replaced(dataset: Path, tmp_path: Path) -> None:
    before = files_in(dataset)
    with pytest.raises(DatasetError) as caught:
        sieve(dataset, dataset, 80, overwrite=True)
    assert caught.value.code == "not_empty" and files_in(dataset) == before
    sieve(dataset, tmp_path / "new", 20)
    with pytest.raises(UsageError) as error:
        sieve(tmp_path / "new", tmp_path / "new", 80, overwrite=True)
    assert error.value.code == "same_dataset"


def test_decisions_in_the_earlier_result_are_not_lost(dataset: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    sieve(dataset, new, 20)
    face = open_dataset(new).faces["face_id"][0].as_py()
    change_decisions(open_dataset(new).layout, [Change(face, Effect("keep"))])
    with pytest.raises(DatasetError) as caught:
        sieve(dataset, new, 80, overwrite=True)
    assert caught.value.code == "has_decisions" and len(open_dataset(new).decisions) == 1


def test_the_command_says_so(run: Run, dataset: Path, tmp_path: Path) -> None:
    command = ("sieve", str(dataset), "--set", "min_blur=20", "-o", str(tmp_path / "new"))
    assert run(*command)[0] == 0
    status, _, told = run(*command)
    assert status == 0 and "has this result already" in told
    status, _, told = run("sieve", str(dataset), "--set", "min_blur=80", "-o", str(tmp_path / "new"))
    assert status == 2 and "--overwrite" in told
    assert run("sieve", str(dataset), "--set", "min_blur=80", "-o", str(tmp_path / "new"), "--overwrite")[0] == 0

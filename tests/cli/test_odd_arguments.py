"""Arguments that are no text, files that are no files, folders that are not there: one sentence each, at once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from facesieve.errors import DatasetError, SettingsError
from facesieve.run.build import build_dataset
from facesieve.settings import Settings
from handmade import Handmade, build_spec, photos, sources_in

Run = Callable[..., tuple[int, str, str]]
posix = pytest.mark.skipif(os.name != "posix", reason="Windows has neither such arguments nor pipes with names")
NO_TEXT = b"\xff"


@pytest.fixture
def heap(tmp_path: Path, astronaut: Path) -> Path:
    return photos(tmp_path / "heap", astronaut, count=4)


@pytest.fixture
def dataset(tmp_path: Path, heap: Path) -> Path:
    build_dataset(sources_in(heap), tmp_path / "out", Handmade, build_spec())
    return tmp_path / "out"


def facesieve(*arguments: bytes | str | Path, where: Path | None = None) -> tuple[int, str]:
    """Exit status and standard error of a command in a process of its own."""
    command = [sys.executable, "-m", "facesieve", *arguments]
    done = subprocess.run(command, capture_output=True, cwd=where, timeout=120, check=False)
    return done.returncode, done.stderr.decode()


@posix
@pytest.mark.parametrize(
    "arguments",
    [
        ["explain", "{dataset}", NO_TEXT],
        ["forget", "{dataset}", NO_TEXT],
        ["sieve", "{dataset}", "--set", NO_TEXT + b"=1"],
        ["sieve", "{dataset}", "--policy", NO_TEXT],
        ["build", "{heap}", "-o", "{new}", "--setting", NO_TEXT + b"=1"],
        ["build", "{heap}", "-o", "{new}", "--setting", b"pose=" + NO_TEXT],
        ["build", "{heap}", "-o", "{new}", "--setting", b"steps_threshold=" + NO_TEXT],
        ["build", "{heap}", "-o", "{new}", "--settings", NO_TEXT],
        ["build", "{heap}", "-o", "{new}", "--crops", NO_TEXT],
        ["build", "{heap}", "-o", "{new}", "--archive-encoding", NO_TEXT],
    ],
    ids=str,
)
def test_an_argument_that_is_no_text_is_one_sentence(
    dataset: Path, heap: Path, tmp_path: Path, arguments: list[bytes | str]
) -> None:
    places = {"{dataset}": str(dataset), "{heap}": str(heap), "{new}": str(tmp_path / "new")}
    given = [places.get(argument, argument) if isinstance(argument, str) else argument for argument in arguments]
    status, said = facesieve(*given)
    assert (status, said.count("\n")) == (2, 1), said
    assert said.startswith("error: ") or "Error" in said


@posix
@pytest.mark.parametrize("option", ["--settings", "--policy"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "large"])
def test_settings_and_policies_are_read_from_regular_files_of_a_bounded_size(
    heap: Path, tmp_path: Path, option: str, kind: str
) -> None:
    file = tmp_path / "given.toml"
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "device":
        file.symlink_to("/dev/zero")
    elif kind == "folder":
        file.mkdir()
    else:
        file.write_bytes(b"#" * (2**20 + 1))
    status, said = facesieve("build", heap, "-o", tmp_path / "new", option, file)
    assert (status, said.count("\n")) == (2, 1), said
    assert str(file) in said and ("[unreadable_settings]" in said or "[unreadable_policy]" in said)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scale_factor", 0.99999999),
        ("scale_factor", 0.96),
        ("steps_threshold", [0.0, 0.7, 0.7]),
        ("steps_threshold", [0.6, 0.7, 2.0]),
        ("min_face_size", 10**400),
        ("workers", 10**6),
        ("threads", 10**6),
        ("picture_timeout", 1e300),
        ("start_timeout", 1e300),
    ],
)
def test_a_setting_with_which_a_build_would_not_end_is_refused(name: str, value: object) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings.load(**{name: value})
    assert caught.value.code == "bad_setting"
    assert name in caught.value.message


def test_a_list_may_be_written_with_commas_and_a_wrong_one_is_answered_with_its_form(run: Run) -> None:
    assert Settings.load(steps_threshold="0.5, 0.6,0.7").steps_threshold == (0.5, 0.6, 0.7)
    for value in ("2,2,2", "1", "[0.6, 0.7]", "[0.6, 0.7, 0.7, 0.7]", "{}"):
        status, _, said = run("build", "x", "-o", "y", "--setting", f"steps_threshold={value}")
        assert status == 2
        assert "Write it like [0.6, 0.7, 0.7]. [bad_setting]" in said


@pytest.mark.parametrize("network", ["home", "10.0.0.1/8", "10.0.0.0/33", "", "\udcff"])
def test_a_network_that_is_none_is_answered_with_the_option_and_its_form(run: Run, network: str) -> None:
    status, _, said = run("build", "x", "-o", "y", "--allow-address", network)
    assert (status, said.count("\n")) == (2, 1)
    assert said.startswith("error: --allow-address cannot be used: ") and "such as 10.0.0.0/8" in said
    with pytest.raises(SettingsError, match=r"Write it like \['10.0.0.0/8', '127.0.0.1'\]"):
        Settings.load(fetch_allow_addresses=network or "x")


def test_a_setting_that_does_not_exist_is_answered_with_the_nearest(run: Run) -> None:
    status, _, said = run("build", "x", "-o", "y", "--setting", "crop_sise=160")
    assert (status, said) == (2, "error: There is no setting 'crop_sise'; did you mean crop_size? [bad_setting]\n")


@posix
def test_a_build_with_absolute_paths_needs_no_working_folder(heap: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    begin = f"cd {gone} && rmdir {gone} && exec {sys.executable} -m facesieve"
    arguments = f"build {heap} -o {tmp_path / 'new'} -q --setting pose=none --workers 1"
    done = subprocess.run(["sh", "-c", f"{begin} {arguments}"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    relative = subprocess.run(["sh", "-c", f"{begin} build a -o b"], capture_output=True, text=True, check=False)
    assert relative.returncode == 2
    assert relative.stderr.count("\n") == 1, relative.stderr


@pytest.mark.parametrize("place", ["kept/new", "new", ".facesieve/new", "a/b/c"])
def test_a_dataset_inside_a_dataset_is_refused(run: Run, dataset: Path, heap: Path, tmp_path: Path, place: str) -> None:
    before = sorted(dataset.rglob("*"))
    (tmp_path / "link").symlink_to(dataset)
    for root in (dataset, tmp_path / "link"):
        for command in (["build", heap], ["sieve", dataset]):
            status, _, said = run(*command, "-o", root / place)
            assert (status, said.count("\n")) == (2, 1)
            assert f"inside the dataset {dataset}" in said
    with pytest.raises(DatasetError):
        build_dataset(sources_in(heap), dataset / place, Handmade, build_spec())
    assert sorted(dataset.rglob("*")) == before

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from facesieve.cli.models import app
from facesieve.errors import FacesieveError, ModelError, OfflineError

Run = Callable[..., tuple[str, BaseException | None]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `facesieve models ...` offline with an empty cache; gives its output and its error."""
    monkeypatch.setenv("FACESIEVE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("FACESIEVE_OFFLINE", "1")

    def run(*arguments: str) -> tuple[str, BaseException | None]:
        result = CliRunner(env={"COLUMNS": "200"}).invoke(app, arguments)
        return result.output, result.exception

    return run


@pytest.fixture(scope="module")
def weights() -> dict[str, tuple[str, bytes]]:
    """Converted parts of mtcnn by name: file name and bytes."""
    from facesieve.models.store import Store
    from facesieve.settings import Settings

    store = Store(Settings.load())
    parts = store.load("mtcnn")
    return {part: (file.name, parts[part]) for part, file in store.files("mtcnn").items()}


@pytest.fixture
def cached(tmp_path: Path, weights: dict[str, tuple[str, bytes]]) -> Path:
    """A cache that holds mtcnn."""
    (tmp_path / "cache").mkdir()
    for name, data in weights.values():
        (tmp_path / "cache" / name).write_bytes(data)
    return tmp_path / "cache"


def test_list_names_every_model_with_its_licence_and_whether_it_is_here(run: Run, cached: Path) -> None:
    output, error = run("list")
    assert error is None
    rows = {line.split("│")[1].strip(): line for line in output.splitlines() if line.startswith("│")}
    assert {name for name in rows if name} == {"mtcnn", "whenet", "sievepose", "hopenet", "dlib-resnet", "sface"}
    assert "yes" in rows["mtcnn"] and "MIT" in rows["mtcnn"]
    assert "no" in rows["whenet"] and "BSD-3-Clause" in rows["whenet"]
    assert str(cached) in output


def test_verify_is_silent_about_what_is_not_here_and_names_the_files_that_are(run: Run, cached: Path) -> None:
    output, error = run("verify")
    assert error is None
    assert output.startswith("mtcnn: ") and output.count(".onnx") == 4 and "whenet" not in output
    assert "sievepose" in output, "it is part of the package"


def test_verify_of_a_damaged_file_fails_and_names_the_repair(run: Run, cached: Path) -> None:
    file = next(cached.glob("onet-*.onnx"))
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    output, error = run("verify", "mtcnn")
    assert isinstance(error, ModelError) and error.code == "model_corrupt"
    assert str(file) in output and "facesieve models fetch mtcnn" in output


def test_verify_of_an_absent_model_fails(run: Run) -> None:
    _, error = run("verify", "whenet")
    assert isinstance(error, ModelError) and error.code == "model_absent"


def test_verify_with_an_empty_cache_names_only_what_is_packaged(run: Run) -> None:
    output, error = run("verify")
    assert error is None and output.count(".onnx") == 1 and output.startswith("sievepose: ")


def test_fetch_of_what_is_packaged_needs_no_network(run: Run, tmp_path: Path) -> None:
    output, error = run("fetch", "sievepose")
    assert error is None and output == "sievepose: here and verified (sievepose)\n"
    assert not (tmp_path / "cache").exists()


def test_add_does_not_replace_what_is_packaged(run: Run, tmp_path: Path) -> None:
    (tmp_path / "sievepose.onnx").write_bytes(b"another")
    _, error = run("add", "sievepose", str(tmp_path / "sievepose.onnx"))
    assert isinstance(error, ModelError) and error.code == "wrong_file"
    assert "part of FaceSieve" in error.message


def test_fetch_offline_is_refused(run: Run, tmp_path: Path) -> None:
    _, error = run("fetch", "whenet")
    assert isinstance(error, OfflineError)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("command", ["fetch", "verify"])
def test_an_unknown_name_is_one_sentence_and_exit_status_2(run: Run, command: str) -> None:
    _, error = run(command, "retinaface")
    assert isinstance(error, FacesieveError)
    assert (error.code, error.exit_status) == ("unknown_model", 2)


def test_add_refuses_a_file_that_is_not_what_the_catalog_says(run: Run, tmp_path: Path) -> None:
    (tmp_path / "WHENet.h5").write_bytes(b"another")
    _, error = run("add", "whenet", str(tmp_path / "WHENet.h5"))
    assert isinstance(error, ModelError) and error.code == "wrong_file"
    _, error = run("add", "hopenet", str(tmp_path / "WHENet.h5"))
    assert isinstance(error, ModelError) and "--unverified" in error.message


def test_add_unverified_still_refuses_what_is_no_state_dict(run: Run, tmp_path: Path) -> None:
    (tmp_path / "other.pkl").write_bytes(b"not a pickle")
    _, error = run("add", "hopenet", str(tmp_path / "other.pkl"), "--unverified")
    assert isinstance(error, ModelError) and error.code == "model_unreadable"
    assert not (tmp_path / "cache").exists()

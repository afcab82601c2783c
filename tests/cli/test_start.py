"""What a process imports before it has anything to do with it: that is time, and memory of every worker."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facesieve.errors import DatasetError
from facesieve.run.engines.choose import prepare_engine
from facesieve.run.recipe import build
from facesieve.settings import Settings

HEAVY = {"numpy", "cv2", "PIL", "pyarrow", "pandas", "pydantic", "pydantic_settings", "onnxruntime", "rich", "asyncio"}
SAY = "\nimport sys\nprint(*sorted(sys.modules))"


def imported(code: str) -> set[str]:
    """Packages and modules that a fresh process has imported after some code."""
    command = [sys.executable, "-c", code + SAY]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1].split())


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_the_command_line_says_what_it_is_without_any_heavy_package(option: str) -> None:
    run = f"""
import sys
from facesieve.__main__ import main
sys.argv[1:] = [{option!r}]
try:
    main()
except SystemExit as end:
    assert not end.code"""
    assert imported(run) & HEAVY == set()


def test_a_worker_that_imports_the_main_module_again_has_no_command_line() -> None:
    assert "typer" not in imported("import facesieve.__main__")


def test_how_many_workers_there_may_be_is_known_without_any_heavy_package() -> None:
    assert imported("import facesieve.processes.forkserver, facesieve.run.engines.choose") & HEAVY == set()


@pytest.mark.skipif(importlib.util.find_spec("facesieve._native") is None, reason="needs the compiled extension")
def test_a_native_pipeline_imports_neither_onnx_runtime_nor_tables_nor_an_event_loop(astronaut: Path) -> None:
    settings = f"Settings(cache_dir={str(Settings.load().cache_dir)!r})"
    find = f"print(len(Pipeline({settings}).process([{str(astronaut)!r}])[0].faces))"
    found = imported(f"from facesieve import Pipeline, Settings\n{find}")
    assert {"numpy", "cv2", "pydantic"} <= found
    unwanted = {"onnxruntime", "pyarrow", "pandas", "asyncio", "rich", "numpy.ma"}
    if np.lib.NumpyVersion(np.__version__) < "2.0.0":
        unwanted -= {"numpy.ma"}  # numpy 1 imports it itself
    assert found & unwanted == set()


@pytest.mark.skipif(importlib.util.find_spec("facesieve._native") is None, reason="needs the compiled extension")
def test_a_build_of_photos_imports_nothing_for_urls_exports_or_comparisons(astronaut: Path, tmp_path: Path) -> None:
    arguments = ["build", str(astronaut), "-o", str(tmp_path / "out"), "-q"]
    found = imported(f"""
import sys
from facesieve.__main__ import main
sys.argv[1:] = {arguments!r}
try:
    main()
except SystemExit as end:
    assert not end.code""")
    assert "pyarrow" in found and (tmp_path / "out" / "faces.parquet").exists()
    unwanted = {"pandas", "onnxruntime", "asyncio", "rich", "tornado", "pyarrow.dataset"}
    unwanted |= {f"facesieve.run.{name}" for name in ("relate_all", "face_columns", "held_out", "verdicts", "examined")}
    unwanted |= {f"facesieve.{name}" for name in ("export", "service", "queue", "sources.remote.thread", "decode.heif")}
    assert found & unwanted == set()


def test_pandas_is_kept_out_of_the_processes_of_the_command_alone() -> None:
    pytest.importorskip("pandas")
    assert "pandas" in imported("import facesieve, pyarrow\npyarrow.array([]).to_pandas()")
    of_a_library = imported("import facesieve.run.recipe, facesieve.run.engines.worker")
    assert "facesieve.processes.without_pandas" not in of_a_library


def test_a_build_uses_one_thread_of_the_linear_algebra_unless_told_otherwise(monkeypatch) -> None:
    threads = "import os, facesieve.__main__; print(os.environ['OPENBLAS_NUM_THREADS'])"
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    assert subprocess.run([sys.executable, "-c", threads], capture_output=True, check=True).stdout == b"1\n"
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    assert subprocess.run([sys.executable, "-c", threads], capture_output=True, check=True).stdout == b"3\n"


@pytest.mark.parametrize(
    ("sources", "workers", "called"),
    [
        (["folder"], 2, True),
        (["folder/*.png"], 2, True),
        (["a.png"] * 3, 2, False),
        (["a.png"] * 9, 2, True),
        (["folder"], 1, False),
        ([], 2, False),
    ],
)
def test_workers_are_started_before_pictures_are_counted_where_there_may_be_many(
    sources: list[str], workers: int, called: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = list[None]()
    monkeypatch.setattr("facesieve.run.engines.pool.start_forkserver", lambda preload: calls.append(None))
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("a.png").touch()
    prepare_engine(sources, Settings(workers=workers))
    assert bool(calls) == called


@pytest.mark.parametrize(("rows", "called"), [(3, False), (9, True)])
def test_workers_are_started_once_a_list_is_known_to_be_long(
    rows: int, called: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = list[None]()
    monkeypatch.setattr("facesieve.run.engines.pool.start_forkserver", lambda preload: calls.append(None))
    pictures = tmp_path / "list.txt"
    pictures.write_text("".join(f"{row}.png\n" for row in range(rows)))
    prepare_engine([str(pictures)], Settings(workers=2))
    assert not calls
    (tmp_path / "out").touch()
    with pytest.raises(DatasetError, match="is not a folder"):  # the search is over by then
        build(pictures, tmp_path / "out", settings=Settings(workers=2))
    assert bool(calls) == called

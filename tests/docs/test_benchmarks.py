"""The benchmarks that the docs name: each explains itself, and the stages of a build are the functions of today."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = sorted((ROOT / "bench").glob("*.py"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "bench" / "RESULTS.md", *(ROOT / "docs").glob("*.md")]


pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="benchmarks need a POSIX system")


def run(program: Path, *arguments: str | Path) -> str:
    done = subprocess.run([sys.executable, program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
def test_a_benchmark_explains_itself(program: Path) -> None:
    assert f"python bench/{program.name}" in run(program, "--help")


def test_every_benchmark_that_a_page_names_exists_and_every_one_is_named() -> None:
    named = {name for page in PAGES for name in re.findall(r"bench/(\w+)\.py", page.read_text(encoding="utf-8"))}
    assert named == {program.stem for program in PROGRAMS}


def test_the_stages_of_a_build_are_timed(hopper: Path, tmp_path: Path) -> None:
    shutil.copy(hopper, tmp_path)
    printed = run(ROOT / "bench" / "build.py", tmp_path, "--photos", "1", "--only", "stages")
    assert "1 photos, 1 faces" in printed
    for stage in ("detect", "pose", "read and decode", "measure", "align", "commit", "publish", "load models"):
        assert re.search(rf"^{stage} +\d+\.\d", printed, re.MULTILINE), stage

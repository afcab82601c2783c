"""The commands of the README, then its Python, one after the other as they are printed, in one empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[2] / "README.md"
RUNS_ON = ("facesieve serve",)


def commands() -> list[str]:
    """The lines of its indented blocks that call facesieve, without what installs it, and what does not end."""
    found = (line[4:] for line in README.read_text(encoding="utf-8").splitlines() if line.startswith("    "))
    calls = [line[line.index("facesieve ") :] for line in found if re.match(r"(pip install \S+ && )?facesieve ", line)]
    return [call for call in calls if not call.startswith(RUNS_ON)]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """An empty folder with the program that the commands call."""
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "facesieve"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m facesieve "$@"\n')
    command.chmod(0o755)
    return tmp_path


def test_the_commands_and_python_of_the_readme_work_in_their_order(here: Path) -> None:
    env = os.environ | {"PATH": f"{here / 'bin'}{os.pathsep}{os.environ['PATH']}", "HF_HOME": str(here / "hf")}
    calls = commands()
    assert len(calls) >= 9 and calls[0].startswith("facesieve demo")
    for call in calls:
        done = subprocess.run(["bash", "-c", call], cwd=here, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{call}\n{done.stderr}"
    for block in re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL):
        python = [sys.executable, "-c", block]
        done = subprocess.run(python, cwd=here, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{block}\n{done.stderr}"

"""The commands of the README, one after the other as they are printed, in one folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
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
def here(tmp_path: Path, astronaut: Path, hopper: Path) -> Path:
    """What the commands name: photos, albums, an archive and a list."""
    (tmp_path / "photos" / "ada").mkdir(parents=True)
    (tmp_path / "photos" / "ben").mkdir()
    (tmp_path / "albums").mkdir()
    shutil.copy(hopper, tmp_path / "photos" / "ada" / "3.jpg")
    shutil.copy(astronaut, tmp_path / "photos" / "ben" / "1.png")
    for name in ("one.zip", "two.zip"):
        with zipfile.ZipFile(tmp_path / "albums" / name, "w") as archive:
            archive.write(astronaut, "eileen/1.png")
    with tarfile.open(tmp_path / "wedding.tar", "w") as tar:
        tar.add(hopper, "grace/2.jpg")
    (tmp_path / "list.csv").write_text("path,label\nphotos/ben/1.png,ben\n")
    (tmp_path / "bin").mkdir()
    command = tmp_path / "bin" / "facesieve"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m facesieve "$@"\n')
    command.chmod(0o755)
    return tmp_path


def test_the_commands_of_the_readme_work_in_their_order(here: Path) -> None:
    env = os.environ | {"PATH": f"{here / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    calls = commands()
    assert len(calls) >= 9 and calls[0].startswith("facesieve demo")
    for call in calls:
        done = subprocess.run(["bash", "-c", call], cwd=here, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{call}\n{done.stderr}"

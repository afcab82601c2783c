"""The tutorial: every command and every line of Python runs, in order, and the numbers are those of the page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "tutorial.md").read_text(encoding="utf-8")
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """The indented lines, and each block of Python as a command of its own, in the page's order."""
    found = re.finditer(rf"{FENCED.pattern}|^    (\S[^\n]*)$", PAGE, FENCED.flags)
    return [match[3] or f"python - <<'END'\n{match[2]}END" for match in found if match[3] or match[1] == "python"]


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """An empty folder with the programs that the page calls."""
    (tmp_path / "bin").mkdir()
    for name, arguments in (("facesieve", "-m facesieve"), ("python", "")):
        program = tmp_path / "bin" / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
        program.chmod(0o755)
    return tmp_path


@pytest.mark.skipif(sys.platform == "win32", reason="the page's commands are for a Unix shell")
def test_the_tutorial_works_from_its_first_command_to_its_last(here: Path) -> None:
    env = os.environ | {"PATH": f"{here / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    said: dict[str, str] = {}
    assert len(commands()) >= 13 and any(command.startswith("python") for command in commands())
    for command in commands():
        done = subprocess.run(["bash", "-c", command], cwd=here, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stderr}"
        said.setdefault(command, done.stdout + done.stderr)

    [build] = [said[command] for command in said if command.startswith("facesieve build")]
    [printed] = [text.strip() for language, text in FENCED.findall(PAGE) if not language]
    assert printed in build
    [explained] = [said[command] for command in said if command.startswith("facesieve explain")]
    assert "grace-hopper-small.jpg" in explained and re.search(r"upsampling +1\.8", explained)
    [larger] = [said[command] for command in said if "max_upsampling" in command]
    assert "1 newly rejected" in larger and "2 kept + 7 rejected" in larger and "enlarged 3" in larger
    [listed] = [said[command] for command in said if command.startswith("python")]
    assert "cameraman.png" in listed and "['turned', 'pitched', 'tilted']" in listed
    assert not (here / "faces" / "kept" / "eileen").exists() and (here / "large-faces" / "kept" / "eileen").exists()

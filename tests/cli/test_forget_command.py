"""`facesieve forget` as a user runs it: in a terminal it asks for --yes, and exports are named."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from facesieve.run.build import build_dataset
from handmade import Handmade, build_spec, photos, sources_in

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, astronaut: Path) -> Path:
    root = tmp_path_factory.mktemp("forget")
    photos(root / "heap", astronaut, 4)
    build_dataset(sources_in(root / "heap"), root / "out", Handmade, build_spec())
    return root / "out"


@pytest.fixture
def out(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "out")


def names(out: Path) -> list[str]:
    return list(pq.read_table(out / "pictures.parquet")["source"].to_pylist())


def in_a_terminal(*arguments: str) -> tuple[int, str]:
    """Exit status and output of a command whose input and output are a terminal."""
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "facesieve", *arguments]
    process = subprocess.Popen(command, stdin=child, stdout=child, stderr=subprocess.PIPE)
    os.close(child)
    assert process.stderr
    errors, shown = process.stderr.read(), b""
    while True:
        try:
            part = os.read(parent, 65_536)
        except OSError:  # Linux ends a terminal without writers like this
            break
        if not part:
            break
        shown += part
    os.close(parent)
    return process.wait(), shown.decode() + errors.decode()


def test_in_a_terminal_nothing_is_removed_without_yes(out: Path) -> None:
    before = names(out)
    status, shown = in_a_terminal("forget", str(out), "--label", "Ada")
    assert status == 0 and "would be forgotten: " in shown and "nothing was changed" in shown
    assert names(out) == before
    status, shown = in_a_terminal("forget", str(out), "--label", "Ada", "--yes")
    assert status == 0 and "\nforgotten: " in f"\n{shown}"
    assert names(out) and not any(name.startswith("Ada/") for name in names(out))


def test_a_script_removes_at_once_and_a_dry_run_does_not(run: Run, out: Path) -> None:
    before = names(out)
    said = json.loads(run("forget", str(out), "--label", "Ada", "--dry-run", "--json")[1])
    assert said["dry_run"] and said["pictures"] > 0 and names(out) == before
    done = json.loads(run("forget", str(out), "--label", "Ada", "--json")[1])
    assert (done["pictures"], done["faces"], done["dry_run"]) == (said["pictures"], said["faces"], False)
    assert names(out) != before


def test_exports_that_have_the_faces_are_named(run: Run, out: Path, tmp_path: Path) -> None:
    assert run("export", str(out), "--to", "csv", "-o", str(tmp_path / "csv"))[0] == 0
    status, told, _ = run("forget", str(out), "--label", "Ada")
    assert status == 0 and f"of them: {tmp_path / 'csv'}; delete it or export again" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "Say what to forget"),
        (["--face", "0123456789"], "no face whose id begins with '0123456789'"),
        (["--label", "Ada", "--yes", "--dry-run"], "Choose one of --yes and --dry-run"),
        (["--picture", "nothing.jpg"], "Cannot read nothing.jpg"),
    ],
)
def test_what_cannot_be_forgotten_is_one_sentence(run: Run, out: Path, arguments: list[str], told: str) -> None:
    before = names(out)
    status, _, error = run("forget", str(out), *arguments)
    assert status == 2 and told in error and len(error.splitlines()) == 1
    assert names(out) == before

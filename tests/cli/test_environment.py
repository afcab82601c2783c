"""Machines where something usual is missing: a home, a user's name, a cache folder that can be written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from facesieve.settings import Settings

NOBODY = """
import pwd, sys
def unknown(*_):
    raise KeyError("getpwuid(): uid not found: 12345")
pwd.getpwuid = pwd.getpwnam = unknown
from facesieve.__main__ import main
sys.argv[0] = "facesieve"
main()
"""


def facesieve(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command as a user without a name and without a home runs it, in an environment that is almost empty."""
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    command = [sys.executable, "-c", NOBODY, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=kept | variables, check=False, timeout=60)


def said(done: subprocess.CompletedProcess[str]) -> str:
    """The only line of standard error of a command that failed."""
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize(
    "command", [["settings"], ["doctor"], ["models", "list"], ["models", "fetch"], ["build", "{photo}", "-o", "{out}"]]
)
@pytest.mark.parametrize("variables", [{}, {"HOME": ""}, {"HOME": "relative"}])
def test_without_a_home_the_sentence_names_the_variable_to_set(
    command: list[str], variables: dict[str, str], astronaut: Path, tmp_path: Path
) -> None:
    done = facesieve(*(part.format(photo=astronaut, out=tmp_path / "out") for part in command), **variables)
    assert said(done) == (
        "error: This user has no home folder to keep models in. Set FACESIEVE_CACHE_DIR to a folder. [no_cache_dir]\n"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["--version", "--help", "build --help"])
def test_what_needs_no_models_needs_no_home(command: str) -> None:
    done = facesieve(*command.split())
    assert done.returncode == 0 and done.stderr == "" and "acesieve" in done.stdout


def test_with_a_cache_folder_of_its_own_nobody_can_build(astronaut: Path, tmp_path: Path) -> None:
    cache = str(Settings.load().cache_dir)
    done = facesieve("build", astronaut, "-o", tmp_path / "out", "-q", FACESIEVE_CACHE_DIR=cache)
    assert done.returncode == 0 and done.stdout.startswith("pictures: 1 = 1 read"), done.stderr
    shown = facesieve("settings", "--json", FACESIEVE_CACHE_DIR=cache)
    (row,) = [row for row in json.loads(shown.stdout) if row["name"] == "cache_dir"]
    assert (row["value"], row["default"]) == (cache, None)
    assert f'# default: none\ncache_dir = "{cache}"\n' in facesieve("settings", FACESIEVE_CACHE_DIR=cache).stdout


@pytest.mark.parametrize("place", ["{file}", "{file}/below", "/proc/facesieve", "{link}"])
def test_a_cache_folder_that_cannot_be_written_is_one_sentence(place: str, astronaut: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    cache = place.format(file=tmp_path / "file", link=tmp_path / "link")
    for variables in ({"FACESIEVE_CACHE_DIR": cache}, {"XDG_CACHE_HOME": cache, "HOME": str(tmp_path)}):
        done = facesieve("build", astronaut, "-o", tmp_path / "out", **variables)
        assert done.returncode == 2 and "Traceback" not in done.stderr
        assert "Cannot write to " in done.stderr and "set FACESIEVE_CACHE_DIR to another folder" in done.stderr
        assert not (tmp_path / "out").exists()
        assert facesieve("models", "list", **variables).returncode == 0
        assert facesieve("doctor", **variables).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's folder is made by root")
def test_a_home_that_may_not_be_entered_is_one_sentence(tmp_path: Path) -> None:
    """The models of another user, as where a service keeps the HOME of the user who started it."""
    home = tmp_path / "home"
    (home / ".cache" / "facesieve").mkdir(parents=True)
    home.chmod(0o700)
    code = (
        "import os, sys\nimport facesieve.models.store as s, facesieve.models.convert\n"
        "from facesieve.settings import Settings\nfrom facesieve.errors import ModelError\n"
        "from facesieve.models.catalog import catalog\ncatalog()\n"
        "store = s.Store(Settings.load())\nos.setuid(12345)\n"
        "print(store.present('mtcnn'))\n"
        "try:\n    store.load('mtcnn')\nexcept ModelError as error:\n    print(error.code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | {"HOME": str(home)}, check=True
    )
    assert done.stdout.split() == ["False", "cache_unwritable"]


@pytest.mark.parametrize("source", ["José", "a.zip", "a.tar", "l.csv"])
def test_names_and_labels_are_text_in_a_locale_of_ascii(source: str, astronaut: Path, tmp_path: Path) -> None:
    (tmp_path / "José").mkdir()
    shutil.copy(astronaut, tmp_path / "José" / "1.png")
    (tmp_path / "l.csv").write_text("path,label\nJosé/1.png,José\n", encoding="utf-8")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
        zipped.write(astronaut, "José/1.png")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(astronaut, "José/1.png")
    ascii_only = {"LC_ALL": "C", "PYTHONUTF8": "0", "FACESIEVE_CACHE_DIR": str(Settings.load().cache_dir)}
    done = facesieve("build", tmp_path / source, "-o", tmp_path / "out", "-q", "--label-from", "folder", **ascii_only)
    assert done.returncode == 0, done.stderr
    [row] = pq.read_table(tmp_path / "out" / "pictures.parquet", columns=["source", "label", "refusal"]).to_pylist()
    name = f"{source}!José/1.png" if source in ("a.zip", "a.tar") else "José/1.png"
    assert row == {"source": f"{tmp_path}/{name}", "label": "José", "refusal": None}


@pytest.mark.skipif(sys.platform != "linux", reason="limits address space")
def test_too_little_memory_to_start_is_one_sentence(astronaut: Path, tmp_path: Path) -> None:
    command = f"ulimit -v 250000; exec {sys.executable} -m facesieve build {astronaut} -o {tmp_path / 'out'}"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, timeout=600)
    assert said(done) == "error: There is not enough memory to run FaceSieve. [out_of_memory]\n"
    assert not (tmp_path / "out").exists()

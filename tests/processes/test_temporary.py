"""A later process removes what a killed process left in the temporary folder, but not what a living one uses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from facesieve.processes.temporary import remove_stale, temporary_folder

pytestmark = pytest.mark.skipif(os.name != "posix", reason="there are no such locks")

HOLDER = """import sys, time
from pathlib import Path
from facesieve.processes.temporary import temporary_folder
from facesieve.sources.temporary import TemporaryWriter

with temporary_folder() as folder:
    (folder / "inside").touch()
    unpacking = TemporaryWriter(Path("a.tar.gz"))
    unpacking.write(b"unpacked")
    print("held", flush=True)
    time.sleep(600)
"""
FORKING = """import os, signal
from facesieve.processes.forkserver import start_forkserver

if __name__ == "__main__":
    assert start_forkserver(["time"])
    {end}
"""


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A new folder for temporary files, with a name that is short enough for a socket in it."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def age(folder: Path) -> None:
    """Make everything in a folder an hour old."""
    for path in folder.iterdir():
        os.utime(path, (time.time() - 3600,) * 2)


def test_what_is_held_stays_and_what_its_process_left_when_it_was_killed_goes(scratch: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout and holder.stdout.readline() == "held\n"
        age(scratch)
        names = sorted(path.suffix for path in scratch.iterdir())
        remove_stale()
        assert sorted(path.suffix for path in scratch.iterdir()) == names == ["", ".tar"]
        holder.kill()
    remove_stale()
    assert list(scratch.iterdir()) == []


def test_what_is_young_or_not_of_ours_stays(scratch: Path, tmp_path: Path) -> None:
    names = [
        "facesieve-demo",
        "facesieve-tmp-mine",
        "facesieve-tmp-0123456789",
        "pymp-01234567",
        "x-facesieve-tmp-01234567",
    ]
    for name in names:
        (scratch / name).mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    (scratch / "facesieve-tmp-00000001").symlink_to(outside)
    age(scratch)
    (scratch / "facesieve-tmp-00000002").mkdir()
    remove_stale()
    left = sorted(path.name for path in scratch.iterdir())
    assert left == sorted([*names, "facesieve-tmp-00000001", "facesieve-tmp-00000002"])
    assert outside.exists()


def test_a_folder_goes_at_the_end_and_is_for_its_user_alone(scratch: Path) -> None:
    with temporary_folder() as folder:
        assert folder.parent == scratch
        assert folder.stat().st_mode & 0o777 == 0o700
    assert list(scratch.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")
def test_the_fork_servers_folder_goes_at_the_end_or_with_the_next_process(scratch: Path) -> None:
    def run(end: str) -> int:
        return subprocess.run([sys.executable, "-c", FORKING.format(end=end)], check=False).returncode

    assert run("pass") == 0
    assert list(scratch.iterdir()) == []
    assert run("os.kill(os.getpid(), signal.SIGKILL)") == -signal.SIGKILL
    assert [path.name[:14] for path in scratch.iterdir()] == ["facesieve-tmp-"]
    age(scratch)
    assert run("pass") == 0
    assert list(scratch.iterdir()) == []

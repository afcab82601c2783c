"""Pipes, sockets, devices and files that the kernel makes are refused, and never opened."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from drawn import look, outcome, outcomes, put

from facesieve.errors import Refused, UsageError
from facesieve.sources.openers import File, open_file

SUFFIXES = ["zip", "tar", "tar.gz", "csv", "tsv", "txt", "jsonl", "parquet", "jpg"]


@pytest.fixture
def opened(tmp_path: Path):
    """A pipe, and whether something has opened it for reading."""
    told = threading.Event()

    def make(path: Path) -> threading.Event:
        os.mkfifo(path)

        def wait() -> None:
            os.close(os.open(path, os.O_WRONLY))
            told.set()

        threading.Thread(target=wait, daemon=True).start()
        return told

    yield make
    for path in tmp_path.rglob("*"):
        if path.is_fifo():
            os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_pipe_is_refused_and_never_opened(tmp_path: Path, suffix: str, opened) -> None:
    told = opened(tmp_path / f"x.{suffix}")
    for argument in (tmp_path / f"x.{suffix}", str(tmp_path / "*.[a-z]*"), tmp_path / "." / f"x.{suffix}"):
        assert [outcome(source) for source in look(argument).sources] == ["not_a_file"]
    assert not told.wait(0.05)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/full", "/dev/tty"])
def test_a_link_to_a_device_is_refused(tmp_path: Path, device: str, suffix: str) -> None:
    (tmp_path / f"x.{suffix}").symlink_to(device)
    assert outcomes(tmp_path / f"x.{suffix}") == {f"x.{suffix}": "not_a_file"}


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s.zip")
        assert outcomes("s.zip") == outcomes(tmp_path) == {"s.zip": "not_a_file"}


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
@pytest.mark.parametrize("name", ["/proc/kmsg", "/proc/self/mem", "/proc/self/status"])
def test_files_that_the_kernel_makes_are_refused(tmp_path: Path, name: str) -> None:
    if not Path(name).exists():
        pytest.skip(f"there is no {name} here")
    (tmp_path / "l.csv").symlink_to(name)
    (tmp_path / "list.txt").write_text(f"{name}\n")
    assert [outcome(s) for s in look(name, tmp_path / "l.csv", tmp_path / "list.txt").sources] == ["not_a_file"] * 2


def test_only_the_rows_of_a_list_that_name_devices_and_folders_are_refused(tmp_path: Path) -> None:
    put(tmp_path / "a.png", 4)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "l.txt").write_text("a.png\npipe\n/dev/zero\n.\n")
    assert [outcome(source) for source in look(tmp_path / "l.txt").sources] == [4, *["not_a_file"] * 3]


def test_a_file_that_becomes_a_pipe_later_is_not_waited_for(tmp_path: Path) -> None:
    path = put(tmp_path / "a.png")
    [source] = look(path).sources
    path.unlink()
    os.mkfifo(path)
    assert outcome(source) == "not_a_file"
    with pytest.raises(Refused):
        open_file(path)
    with pytest.raises(Refused):
        File(str(path))()


def test_an_endless_device_as_a_list_takes_no_memory(tmp_path: Path) -> None:
    (tmp_path / "z.txt").symlink_to("/dev/zero")
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30));"
        "from facesieve.settings import Settings; from facesieve.sources import find_sources;"
        "print(len(find_sources([sys.argv[1]], Settings()).sources))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "z.txt")], capture_output=True, text=True, timeout=30, check=True
    )
    assert run.stdout == "1\n"


def test_a_file_of_zeros_is_no_list(tmp_path: Path) -> None:
    with (tmp_path / "z.txt").open("wb") as stream:
        stream.truncate(1 << 30)
    with pytest.raises(UsageError, match=r"is not text, although its name ends in \.txt"):
        look(tmp_path / "z.txt")


def test_a_line_of_text_longer_than_any_path_is_no_list(tmp_path: Path) -> None:
    (tmp_path / "z.txt").write_text("x" * (1 << 20))
    with pytest.raises(UsageError, match="is not a list: its first line is longer than any path"):
        look(tmp_path / "z.txt")

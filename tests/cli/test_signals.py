"""Signals that end a command: one line, the exit status that shells know, and nothing left behind."""

from __future__ import annotations

import gzip
import os
import shlex
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import psutil
import pytest

from facesieve.stop import Stopped, stoppable

FACESIEVE = [sys.executable, "-m", "facesieve"]
STOPPED = {
    signal.SIGINT: "stopped",
    signal.SIGTERM: "stopped by SIGTERM",
    signal.SIGHUP: "stopped by SIGHUP",
}


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The temporary folder of what a test starts, empty."""
    folder = tmp_path / "t"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def photos(tmp_path: Path, astronaut: Path) -> Path:
    """Sixteen portraits, each of other bytes."""
    folder = tmp_path / "photos"
    folder.mkdir()
    portrait = cv2.imread(str(astronaut))
    for number in range(16):
        cv2.imwrite(str(folder / f"{number}.jpg"), portrait[number:])
    return folder


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A compressed tar that takes a while to unpack."""
    header = tarfile.TarInfo("zeros.jpg")
    header.size = 100 * 2**23
    part = gzip.compress(bytes(2**23), 1)
    (tmp_path / "a.tar.gz").write_bytes(gzip.compress(header.tobuf()) + 100 * part)
    return tmp_path / "a.tar.gz"


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started = list[subprocess.Popen[str]]()

    def begin(*arguments: object, **options: object) -> subprocess.Popen[str]:
        command = [*FACESIEVE, *map(str, arguments)]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        started.append(subprocess.Popen(command, text=True, **(streams | options)))  # type: ignore[call-overload]
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def until(said: Callable[[], object], seconds: float = 60) -> None:
    last = time.monotonic() + seconds
    while not said():
        assert time.monotonic() < last, "it did not come to that"
        time.sleep(0.005)


def none_is_left(processes: list[psutil.Process]) -> bool:
    return not psutil.wait_procs(processes, timeout=10)[1]


@pytest.mark.parametrize(("workers", "number"), [(1, signal.SIGTERM), *((2, number) for number in STOPPED)])
def test_a_build_that_is_stopped_says_how_to_go_on_and_leaves_nothing(
    photos: Path, scratch: Path, tmp_path: Path, start: Callable[..., subprocess.Popen[str]], workers: int, number: int
) -> None:
    out = tmp_path / "out"
    options = ("--workers", workers, "--setting", "shard_size=1", "--setting", "batch_size=1")
    build = start("build", photos, "-o", out, "-q", *options)
    until(lambda: len(list(out.glob(".facesieve/parts/*.parquet"))) > 2)
    children = psutil.Process(build.pid).children(recursive=True)
    build.send_signal(number)
    stdout, stderr = build.communicate(timeout=60)
    committed = len(list(out.glob(".facesieve/parts/*.parquet")))
    said = (
        f"{STOPPED[number]}; {committed} of 16 pictures are committed (unfinished shards are done again), "
        f"and the same command continues {out}\n"
    )
    assert (build.returncode, stdout, stderr) == (128 + number, "", said)
    assert none_is_left(children)
    assert list(scratch.iterdir()) == []
    again = start("build", photos, "-o", out, "-q", *options)
    assert again.communicate(timeout=120)[0].startswith("pictures: 16 = 16 read")


@pytest.mark.parametrize("number", STOPPED)
def test_a_build_that_is_stopped_while_it_unpacks_an_archive_leaves_no_file(
    archive: Path, scratch: Path, tmp_path: Path, start: Callable[..., subprocess.Popen[str]], number: int
) -> None:
    build = start("build", archive, "-o", tmp_path / "out", "-q")
    until(lambda: any(file.stat().st_size for file in scratch.glob("facesieve-*.tar")))
    children = psutil.Process(build.pid).children(recursive=True)
    build.send_signal(number)
    stdout, stderr = build.communicate(timeout=60)
    assert (build.returncode, stdout, stderr) == (128 + number, "", f"{STOPPED[number]}\n")
    assert none_is_left(children)
    assert list(scratch.iterdir()) == []


def test_a_second_signal_does_not_disturb_the_tidying_up(
    archive: Path, scratch: Path, tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    build = start("build", archive, "-o", tmp_path / "out", "-q")
    until(lambda: list(scratch.glob("facesieve-*.tar")))
    while build.poll() is None:
        build.send_signal(signal.SIGTERM)
        time.sleep(0.001)
    stderr = build.communicate(timeout=60)[1]
    assert build.returncode == 128 + signal.SIGTERM and "Traceback" not in stderr
    assert list(scratch.iterdir()) == []


def test_a_signal_that_is_ignored_stays_ignored(photos: Path, tmp_path: Path) -> None:
    command = " ".join(map(shlex.quote, [*FACESIEVE, "build", str(photos), "-o", str(tmp_path / "out"), "-q"]))
    # The group gets it, as from a terminal that is closed; `nohup` has this one ignored.
    build = subprocess.Popen(
        ["bash", "-c", f"trap '' HUP; exec {command}"], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    until(lambda: list(tmp_path.glob("out/.facesieve")))
    os.killpg(build.pid, signal.SIGHUP)
    assert build.communicate(timeout=120)[0].startswith("pictures: 16 = 16 read")
    assert build.returncode == 0


def test_a_terminal_that_is_closed_ends_all_processes_of_a_build(photos: Path, scratch: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    slow = ("--workers", "2", "--setting", "shard_size=1", "--min-face-size", "12")  # it is at work when it is stopped
    command = [*FACESIEVE, "build", str(photos), "-o", str(out), "-q", *slow]
    build = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    until(lambda: len(list(out.glob(".facesieve/parts/*.parquet"))) > 0)
    children = psutil.Process(build.pid).children(recursive=True)
    os.killpg(build.pid, signal.SIGHUP)
    assert build.communicate(timeout=60)[1].startswith("stopped by SIGHUP; ")
    assert build.returncode == 129
    assert none_is_left(children)
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("module", "number"),
    [
        ("facesieve.streams", signal.SIGINT),  # the system ends the process at the others, so early, without a line
        *((module, number) for module in ("facesieve.cli", "typer") for number in STOPPED),
    ],
)
def test_a_signal_while_the_command_line_is_imported_is_one_line(module: str, number: int) -> None:
    program = (
        "import os, sys\n"
        "class Sends:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {module!r}: os.kill(os.getpid(), {int(number)})\n"
        "sys.meta_path.insert(0, Sends())\n"
        "sys.argv[1:] = ['--version']\n"
        "from facesieve.__main__ import main\n"
        "main()\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (128 + number, "", f"{STOPPED[number]}\n")


def test_a_signal_that_comes_where_python_ignores_exceptions_ends_the_command_all_the_same() -> None:
    program = (
        "import os, signal, time, weakref\n"
        "from facesieve.stop import stoppable\n"
        "class Held: pass\n"
        "held = Held()\n"
        "watch = weakref.ref(held, lambda _: os.kill(os.getpid(), signal.SIGTERM))\n"
        "with stoppable():\n"
        "    del held\n"
        "    time.sleep(60)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (128 + signal.SIGTERM, "", "")


def test_other_exceptions_that_python_ignores_are_still_printed_and_no_timer_stays() -> None:
    program = (
        "import signal, sys\n"
        "from facesieve.stop import stoppable\n"
        "class Noisy:\n"
        "    def __del__(self): raise ValueError('odd')\n"
        "hook, alarm = sys.unraisablehook, signal.getsignal(signal.SIGALRM)\n"
        "with stoppable():\n"
        "    Noisy()\n"
        "assert sys.unraisablehook is hook and signal.getsignal(signal.SIGALRM) == alarm\n"
        "assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=50, check=False)
    assert ended.returncode == 0 and ended.stderr.endswith("ValueError: odd\n")


def test_a_signal_that_comes_while_signals_are_about_to_be_ignored_leaves_no_handler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = {number: signal.getsignal(number) for number in STOPPED}
    set_handler, comes = signal.signal, iter([False, True])

    def interrupted(number: int, handler: signal.Handlers) -> None:
        set_handler(number, handler)
        if next(comes, False):
            raise Stopped(signal.SIGTERM)

    try:
        with stoppable():
            monkeypatch.setattr(signal, "signal", interrupted)
        assert [signal.getsignal(number) for number in STOPPED] == [signal.SIG_IGN] * len(STOPPED)
    finally:
        monkeypatch.undo()
        for number, handler in before.items():
            signal.signal(number, handler)

"""How worker processes start: real processes, forked on Linux and new elsewhere."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from multiprocessing import Pipe
from pathlib import Path

import pytest
from children import idle, modules

from facesieve.processes.child import Child
from facesieve.processes.forkserver import forked
from facesieve.run.engines.pool import PRELOAD
from handmade import files_in, photos

linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux alone")

PROGRAM = """from facesieve.__main__ import main
if __name__ == "__main__":
    main()
"""

STOPPED = """import os, signal, sys
from multiprocessing import forkserver
from facesieve.__main__ import main
from facesieve.processes.forkserver import start_forkserver
from facesieve.run.engines.pool import PRELOAD

if __name__ == "__main__":
    start_forkserver(PRELOAD)
    os.kill(forkserver._forkserver._forkserver_pid, signal.SIGSTOP)
    print("stopped", flush=True)
    main()
"""

OWN = """import multiprocessing, pathlib, time
from facesieve.processes.forkserver import start_forkserver
from facesieve.run.engines.pool import PRELOAD

def work():
    time.sleep(1)
    pathlib.Path("done").touch()

if __name__ == "__main__":
    start_forkserver(PRELOAD)
    multiprocessing.get_context("forkserver").Process(target=work).start()
"""


@linux
def test_a_worker_begins_with_all_that_it_needs_and_without_the_command_line() -> None:
    ours, theirs = Pipe()
    process = forked(PRELOAD, modules, theirs)
    imported, deaf = ours.recv()
    process.join()
    assert {"facesieve.pipeline", "facesieve.run.shard", "pyarrow.parquet", "cv2"} <= imported
    assert "facesieve.cli" not in imported
    assert deaf


def printed(code: str) -> str:
    """What code prints in a new process."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@linux
def test_the_fork_server_has_one_thread() -> None:
    assert printed(f"import os, {', '.join(PRELOAD)}; print(len(os.listdir('/proc/self/task')))") == "1\n"


def test_workers_do_not_wait_for_what_only_the_build_computes_with() -> None:
    assert printed("import sys, facesieve.run.shard; print('pyarrow.compute' in sys.modules)") == "False\n"


@linux
def test_a_reader_of_the_output_does_not_wait_for_a_fork_server_that_still_imports(tmp_path: Path) -> None:
    (tmp_path / "endless.py").write_text("import time\ntime.sleep(60)")
    code = "from facesieve.processes.forkserver import start_forkserver as start; print(start(['endless']))"
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=True)
    assert (done.stdout, done.stderr) == ("True\n", "")


@linux
def test_a_process_of_the_user_s_own_is_waited_for_at_exit(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(OWN)
    subprocess.run([sys.executable, "program.py"], cwd=tmp_path, check=True)
    assert (tmp_path / "done").exists()


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The command line as pip installs it: a script in another folder."""
    script = tmp_path / "bin" / "facesieve"
    script.parent.mkdir()
    script.write_text(PROGRAM)
    return script


def command(program: Path, heap: Path, out: Path, workers: int) -> list[str]:
    plain = ["--setting", "pose=none", "--workers", str(workers), "-q"]
    return [sys.executable, str(program), "build", str(heap), "-o", str(out), *plain]


@pytest.fixture
def heap(tmp_path: Path, astronaut: Path) -> Path:
    return photos(tmp_path / "heap", astronaut, count=16)


def test_workers_import_nothing_from_the_folder_that_the_user_is_in(program: Path, heap: Path, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    for name in ("cv2", "numpy", "facesieve"):
        (tmp_path / "here" / f"{name}.py").write_text(f"open({str(tmp_path / 'imported')!r}, 'w')")
    done = subprocess.run(command(program, heap, tmp_path / "out", 2), cwd=tmp_path / "here", check=False)
    assert done.returncode == 0
    assert not (tmp_path / "imported").exists()


def test_where_nothing_can_be_forked_workers_are_new_processes(program: Path, heap: Path, tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 120)  # a name that a socket cannot have
    deep.mkdir()
    for workers in (1, 2):
        run = command(program, heap, tmp_path / f"{workers}", workers)
        done = subprocess.run(run, env={**os.environ, "TMPDIR": str(deep)}, capture_output=True, check=True)
        assert done.stderr == b""
    assert len(list((tmp_path / "2" / ".facesieve" / "parts").iterdir())) > 2, "the pictures were shared out"
    assert files_in(tmp_path / "1") == files_in(tmp_path / "2")


def server() -> int:
    from multiprocessing import forkserver

    pid = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]  # it has no public name
    assert isinstance(pid, int)
    return pid


@linux
def test_a_fork_server_that_is_stopped_is_killed_and_the_next_one_serves() -> None:
    ours, theirs = Pipe()
    forked(PRELOAD, modules, theirs).join()
    stopped = server()
    os.kill(stopped, signal.SIGSTOP)
    for _ in range(2):
        ours, theirs = Pipe()
        process = forked(PRELOAD, modules, theirs, patience=0.5)
        assert ours.poll(60)
        process.join()
    assert server() != stopped


@linux
def test_a_child_is_closed_although_the_fork_server_was_stopped() -> None:
    child = Child(partial(forked, PRELOAD), idle)
    os.kill(server(), signal.SIGSTOP)
    child.close()


@linux
@pytest.mark.parametrize("signalled", [False, True])
def test_a_build_whose_fork_server_is_stopped_goes_on_and_a_signal_ends_it(
    program: Path, heap: Path, tmp_path: Path, signalled: bool
) -> None:
    program.write_text(STOPPED)
    patience = 600 if signalled else 5
    run = [*command(program, heap, tmp_path / "out", 2), "--setting", f"start_timeout={patience}"]
    with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as build:
        try:
            assert build.stdout and build.stdout.readline() == "stopped\n"
            if signalled:
                while not (tmp_path / "out" / ".facesieve" / "lock").exists():
                    time.sleep(0.05)
                time.sleep(1)  # now it waits for its first worker
                build.terminate()
            _, said = build.communicate(timeout=300)
        finally:
            build.kill()
    assert build.returncode == (128 + signal.SIGTERM if signalled else 0), said

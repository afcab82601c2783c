"""A build continues when its worker processes are killed: real processes and real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from dangerous import DiesAtStart, DiesBeforeStart, Hangs, Killer, KillsOnce, dead_on_arrival, idle, no_model, slow_disk
from killed import BUILDING, PATIENCE

from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.outputs import Outputs
from facesieve.errors import DatasetError, ModelError, WorkerError
from facesieve.processes.child import Child, ChildDied
from facesieve.processes.forkserver import spawned
from facesieve.records import Source
from facesieve.run.build import build_dataset
from facesieve.run.engines import schedule
from facesieve.run.engines.engine import MakePipeline
from facesieve.run.engines.pool import Pool
from facesieve.run.engines.worker import Task, Worker
from facesieve.run.ledger import Ledger
from facesieve.run.plan import Shard
from facesieve.run.progress import Progress, Tally
from facesieve.run.shard import ShardRunner
from handmade import Handmade, build_spec, files_in, photos, sources_in

EVERYTHING = Outputs(keep_rejected=True, cuts=("face",), marked=True)


@pytest.fixture(scope="module")
def heap(tmp_path_factory: pytest.TempPathFactory, astronaut: Path) -> Path:
    return photos(tmp_path_factory.mktemp("heap"), astronaut, count=16)


@pytest.fixture(scope="module")
def whole(heap: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The dataset that one process builds."""
    out = tmp_path_factory.mktemp("whole")
    build_dataset(sources_in(heap), out, Handmade, build_spec(EVERYTHING))
    return files_in(out)


def opened_by(heap: Path, opens: dict[str, object]) -> list[Source]:
    """The sources of the heap, some with another way to open them."""
    return [replace(source, open=opens.get(source.name, source.open)) for source in sources_in(heap)]


def refusals(dataset: Path) -> dict[str, str]:
    rows = pq.read_table(dataset / "pictures.parquet").to_pylist()
    return {row["source"]: row["refusal"] for row in rows if row["refusal"]}


@pytest.mark.parametrize("workers", [2, 3])
def test_any_number_of_workers_makes_the_same_bytes(
    heap: Path, tmp_path: Path, whole: dict[str, bytes], workers: int
) -> None:
    seen: list[Progress] = []
    built = build_dataset(sources_in(heap), tmp_path, Handmade, build_spec(EVERYTHING, workers=workers), seen.append)
    assert files_in(tmp_path) == whole
    assert [progress.done for progress in seen] == list(range(21))
    assert (seen[-1].kept, seen[-1].refused) == (built.counts.kept + 1, 2), "the duplicate is found afterwards"
    assert len(list((tmp_path / ".facesieve" / "parts").iterdir())) > workers, "the pictures were shared out"
    assert not (tmp_path / ".facesieve" / "scratch").exists()


def test_a_worker_that_is_killed_once_costs_nothing(heap: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    path = heap / "Grace" / "006.png"
    sources = opened_by(heap, {"Grace/006.png": KillsOnce(path, tmp_path / "trace")})
    seen: list[Progress] = []
    build_dataset(sources, tmp_path / "out", Handmade, build_spec(EVERYTHING, workers=2), seen.append)
    assert (tmp_path / "trace").exists()
    assert files_in(tmp_path / "out") == whole
    assert seen[-1].done == seen[-1].total == 20


def test_a_picture_that_kills_is_one_refusal_and_the_next_build_tries_it_again(
    heap: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    seen: list[Progress] = []
    deadly = opened_by(heap, {"Grace/006.png": Killer(heap)})
    built = build_dataset(deadly, tmp_path, Handmade, build_spec(EVERYTHING, workers=2), seen.append)
    ordinary = {"Ada/empty.jpg": "empty", "Ada/notes.txt": "not_an_image", "Ada/001.png": "duplicate"}
    assert refusals(tmp_path) == ordinary | {"Grace/006.png": "crashed"}
    assert built.counts.pictures == seen[-1].done == 20
    assert seen[-1].refused == 3
    again = Handmade()
    build_dataset(sources_in(heap), tmp_path, lambda: again, build_spec(EVERYTHING))
    assert again.seen == ["Grace/006.png"]
    assert files_in(tmp_path) == whole


def sharing(
    root: Path, sources: Sequence[Source], make_pipeline: MakePipeline
) -> tuple[list[Tally], dict[str, str | None]]:
    """One shard of these sources, done by a pool: its tallies, and the refusal code of each picture."""
    made = build_spec()
    runner = ShardRunner(Layout(root), made.settings, made.measures, made.outputs)
    tallies = list(Pool(1).run([Shard(0, tuple(sources))], runner, make_pipeline))
    rows = [row for table in Ledger(runner.layout).tables() for row in table.to_pylist()]
    assert len(rows) == len(sources)
    return tallies, {row["source"]: row["refusal"] for row in rows}


def test_a_shard_that_kills_is_halved_until_the_picture_stands_alone(heap: Path, tmp_path: Path) -> None:
    sources = opened_by(heap, {"Ada/005.png": Killer(heap)})[2:6]
    tallies, refused = sharing(tmp_path, sources, Handmade)
    assert refused == {source.name: None for source in sources} | {"Ada/005.png": "crashed"}
    total = sum(tallies, Tally())
    assert (total.done, total.refused) == (4, 1)
    assert any(tally.done < 0 for tally in tallies), "counts of lost work were taken back"


def test_what_a_worker_raises_on_purpose_is_raised_by_the_build(heap: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="Model handmade is not here") as caught:
        build_dataset(sources_in(heap), tmp_path, no_model, build_spec(workers=2))
    assert caught.value.code == "model_absent"


def test_a_disk_that_refuses_a_worker_is_one_error(heap: Path, tmp_path: Path) -> None:
    (tmp_path / ".facesieve").mkdir()
    (tmp_path / "kept").write_text("in the way")
    with pytest.raises(DatasetError) as caught:
        build_dataset(sources_in(heap), tmp_path, Handmade, build_spec(workers=2))
    assert caught.value.code == "cannot_write"


def test_a_worker_that_never_begins_is_an_error_and_not_a_loop(heap: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match="--workers 1"):
        build_dataset(sources_in(heap), tmp_path, dead_on_arrival, build_spec(workers=2))


@pytest.mark.parametrize("deaths", [1, 3])
@pytest.mark.parametrize("dies", [DiesAtStart, DiesBeforeStart])
@pytest.mark.parametrize("forks", [True, False])
def test_workers_killed_while_they_start_are_replaced(
    heap: Path,
    tmp_path: Path,
    whole: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    deaths: int,
    dies: type[DiesAtStart],
    forks: bool,
) -> None:
    if not forks:
        monkeypatch.setattr("facesieve.processes.forkserver.start_forkserver", lambda preload: False)
    (tmp_path / "trace").mkdir()
    build_dataset(
        sources_in(heap), tmp_path / "out", dies(tmp_path / "trace", deaths), build_spec(EVERYTHING, workers=2)
    )
    assert len(list((tmp_path / "trace").iterdir())) == deaths
    assert files_in(tmp_path / "out") == whole


def test_a_worker_stopped_for_good_is_killed_and_costs_nothing(
    heap: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    path = heap / "Grace" / "006.png"
    sources = opened_by(heap, {"Grace/006.png": Hangs(path, tmp_path / "trace")})
    build_dataset(sources, tmp_path / "out", Handmade, build_spec(EVERYTHING, workers=2, picture_timeout=3))
    assert (tmp_path / "trace").exists()
    assert files_in(tmp_path / "out") == whole


def test_a_picture_that_hangs_is_one_refusal_and_the_next_build_tries_it_again(
    heap: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    hangs = opened_by(heap, {"Grace/006.png": Hangs(heap)})
    began = time.monotonic()
    built = build_dataset(hangs, tmp_path, Handmade, build_spec(EVERYTHING, workers=2, picture_timeout=3))
    assert time.monotonic() - began < PATIENCE / 2
    assert refusals(tmp_path)["Grace/006.png"] == "too_slow"
    assert built.counts.pictures == 20
    again = Handmade()
    build_dataset(sources_in(heap), tmp_path, lambda: again, build_spec(EVERYTHING))
    assert again.seen == ["Grace/006.png"]
    assert files_in(tmp_path) == whole


def test_a_disk_that_hangs_is_an_error_and_no_picture_is_blamed(
    heap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "_COMMIT", 1)
    with pytest.raises(WorkerError) as raised:
        build_dataset(sources_in(heap), tmp_path, slow_disk, build_spec(EVERYTHING, workers=2, picture_timeout=3))
    assert raised.value.code == "slow_disk"
    assert not Ledger(Layout(tmp_path)).numbers()


def test_a_stopped_worker_that_does_not_read_its_shard_is_killed(heap: Path, tmp_path: Path) -> None:
    worker = Worker(Child(spawned, idle))
    worker.child.wait_ready()
    os.kill(worker.child.pid, signal.SIGSTOP)
    [source, *_] = sources_in(heap)
    shard = Shard(0, (replace(source, name="x" * 4_000_000),))
    began = time.monotonic()
    with pytest.raises(ChildDied):
        worker.send(Task(shard), timeout=0.5)
    assert time.monotonic() - began < PATIENCE / 2
    worker.child.close()


def start(heap: Path, out: Path, pause: float = 0, pipeline: str = "Handmade", at: int = 0) -> subprocess.Popen[str]:
    """A build with two workers in its own session, so that a signal reaches all its processes, like Ctrl-C."""
    command = [sys.executable, str(BUILDING), str(heap), str(out), "0", str(pause), "2", pipeline, "files", str(at)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def test_a_fault_in_the_code_costs_the_picture_it_shows_on_and_is_shown(heap: Path, tmp_path: Path) -> None:
    child = start(heap, tmp_path, pipeline="Raising")
    _, errors = child.communicate(timeout=PATIENCE)
    assert child.returncode == 0
    assert refusals(tmp_path)["Grace/006.png"] == "crashed"
    assert "ZeroDivisionError" in errors


def wait_for(child: subprocess.Popen[str], line: str) -> None:
    assert child.stdout
    assert any(seen.strip() == line for seen in child.stdout), f"never said {line!r}"


def members(session: int) -> list[int]:
    """The living processes of a session, from /proc."""
    alive = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] != "Z":
                alive.append(int(entry.name))
    return alive


def gone(session: int) -> bool:
    """Whether all processes of a session end. The resource tracker ends a moment after the others."""
    deadline = time.monotonic() + PATIENCE
    while (left := members(session)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not left


linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")


@linux
def test_ctrl_c_stops_all_at_once_keeps_what_is_finished_and_goes_on(
    heap: Path, tmp_path: Path, whole: dict[str, bytes]
) -> None:
    child = start(heap, tmp_path / "out", PATIENCE, at=8)
    wait_for(child, "done 8")
    os.killpg(child.pid, signal.SIGINT)
    _, errors = child.communicate(timeout=PATIENCE / 2)
    assert (child.returncode, errors) == (130, "")
    assert gone(child.pid)
    assert list((tmp_path / "out" / ".facesieve" / "parts").iterdir())
    assert not (tmp_path / "out" / ".facesieve" / "scratch").exists()
    rest = Handmade()
    build_dataset(sources_in(heap), tmp_path / "out", lambda: rest, build_spec(EVERYTHING))
    assert 0 < len(rest.seen) < 20
    assert files_in(tmp_path / "out") == whole


@linux
def test_workers_end_with_a_build_that_is_killed(heap: Path, tmp_path: Path, whole: dict[str, bytes]) -> None:
    child = start(heap, tmp_path / "out", PATIENCE, at=2)
    wait_for(child, "done 2")
    assert len(members(child.pid)) >= 3
    child.kill()
    child.communicate()
    assert gone(child.pid)
    build_dataset(sources_in(heap), tmp_path / "out", Handmade, build_spec(EVERYTHING, workers=2))
    assert files_in(tmp_path / "out") == whole


@linux
@pytest.mark.parametrize("seconds", [0.02, 0.12])
def test_ctrl_c_while_workers_begin_is_one_line_and_nobody_stays(heap: Path, tmp_path: Path, seconds: float) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "facesieve", "build", str(heap), "-o", str(out), "-q", "--workers", "2"]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while not (out / ".facesieve" / "lock").exists():
        time.sleep(0.005)
    time.sleep(seconds)
    os.killpg(child.pid, signal.SIGINT)
    _, errors = child.communicate(timeout=PATIENCE)
    assert child.returncode == 130
    begun = errors.startswith("stopped; ") and errors.endswith(f", and the same command continues {out}\n")
    assert begun or errors == "stopped\n", "on a busy machine the build may not have begun yet"
    assert errors.count("\n") == 1
    assert gone(child.pid)

"""The cost of a build: CPU of each stage, scaling with workers, memory, and start time.

    python bench/build.py [FOLDER] [--photos 64] [--rounds 2] [--workers 1 2] [--setting pose=none]

Stages are timed in CPU seconds of one process, by wrapping their functions. A stage inside another one counts only for
itself. Compare wall times only within one run.
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import cv2

from facesieve import pipeline as rooms
from facesieve.cli.choices import choose_settings
from facesieve.dataset.tables.part_rows import PartRows
from facesieve.decode import picture
from facesieve.detect import Mtcnn
from facesieve.pipeline import Pipeline
from facesieve.run import build as running
from facesieve.run import shard
from facesieve.run.ledger import Ledger
from facesieve.run.recipe import build
from facesieve.settings import Settings
from facesieve.sources import find_sources

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
SIZES = {"1080p": (1920, 1080), "12 MP": (4000, 3000)}
FIRST_FACE = (
    "import sys; from facesieve import Pipeline; print(len(Pipeline().process(sys.argv[1:])[0].faces), flush=True)"
)


class Stages:
    """CPU seconds of each stage, without the stages inside it."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self._open: list[str] = []
        self._since = 0.0

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            self._turn()
            self._open.append(stage)
            try:
                return function(*args, **kwargs)
            finally:
                self._turn()
                self._open.pop()

        return wrapped

    def _turn(self) -> None:
        now = time.process_time()
        if self._open:
            self.spent[self._open[-1]] += now - self._since
        self._since = now

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Wrap the stages of every build in this process."""
        places = [
            ("read and decode", picture, "decode_each"),
            ("detect", Mtcnn, "__call__"),
            ("align", rooms.Aligner, "__call__"),
            ("upside down?", rooms.UpsideDownCheck, "__call__"),
            ("pose", rooms.HeadPose, "__call__"),
            ("measure", rooms, "measure"),
            ("sieve", rooms, "judge_columns"),
            ("encode crops", shard, "picture_files"),
            ("write crops", shard.ShardRunner, "write_files"),
            ("rows and thumbnails", PartRows, "add"),
            ("rows and thumbnails", shard, "thumbnail"),
            ("commit", Ledger, "commit"),
            ("commit", shard, "sync_folders"),
            ("publish", running, "_publish"),
        ]
        lazy = ("decode_each", "picture_files", "write_files")  # they yield, so their work is done when they are read
        before = [getattr(place, name) for _, place, name in places]
        for (stage, place, name), function in zip(places, before, strict=True):
            eager = (lambda f: lambda *a: list(f(*a)))(function) if name in lazy else function
            setattr(place, name, self.timed(stage, eager))
        init = Pipeline.__init__
        Pipeline.__init__ = self.timed("load models", init)  # type: ignore[method-assign]
        try:
            yield
        finally:
            Pipeline.__init__ = init  # type: ignore[method-assign]
            for (_, place, name), function in zip(places, before, strict=True):
                setattr(place, name, function)


def stages(files: list[str], given: list[str]) -> None:
    settings = choose_settings(given=[*given, "workers=1"])
    seen = Stages()
    with tempfile.TemporaryDirectory() as folder, seen.watching():
        start = time.process_time()
        result = build(files, Path(folder) / "out", settings=settings)
        total = time.process_time() - start
    spent = seen.spent | {"rest": total - seen.spent.total()}
    counts = result.counts
    photos, faces = counts.with_rows, max(counts.faces, 1)
    print(
        f"\n{photos} photos, {counts.faces} faces, {counts.kept} kept; one worker,"
        f" {1000 * total / photos:.1f} ms CPU per photo"
    )
    print("stage                  ms per photo ms per face    share")
    for stage, seconds in sorted(spent.items(), key=lambda pair: -pair[1]):
        print(
            f"{stage:22} {1000 * seconds / photos:12.2f} {1000 * seconds / faces:11.3f} {100 * seconds / total:7.1f} %"
        )
    outside = total - sum(spent[stage] for stage in ("detect", "pose", "read and decode"))
    loading = spent["load models"]
    print(f"outside the networks and the decoder: {100 * outside / total:.1f} %;", end=" ")
    print(f"the same without loading the models: {100 * (outside - loading) / (total - loading):.1f} %")


def command(files: list[str], out: Path, workers: int, given: list[str]) -> list[str]:
    options = [option for setting in given for option in ("--setting", setting)]
    return [
        sys.executable,
        "-m",
        "facesieve",
        "build",
        *files,
        "-o",
        str(out),
        "-q",
        "--workers",
        str(workers),
        *options,
    ]


def timed(arguments: list[str]) -> tuple[float, float]:
    """Wall seconds until the command ends, and CPU seconds of it and of all its processes."""
    start = time.perf_counter()
    child = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    wall = cpu = 0.0
    with suppress(ChildProcessError):  # no child is left
        while True:
            pid, status, used = os.wait4(-1, 0)
            cpu += used.ru_utime + used.ru_stime
            if pid == child.pid:
                wall = time.perf_counter() - start
                child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    return wall, cpu


def adopt() -> None:
    """Become the parent of orphaned grandchildren (Linux), so that the CPU time of forked workers is counted."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def peak_memory(arguments: list[str]) -> dict[int, int]:
    """Peak resident MiB of each process of a command (Linux; elsewhere of the largest). Slows the command down."""
    peaks: dict[int, int] = {}
    child = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, start_new_session=True)
    while True:
        pid, status, used = os.wait4(child.pid, os.WNOHANG)
        if pid:
            break
        peaks |= session_peaks(child.pid)
        time.sleep(0.02)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    return peaks or {child.pid: used.ru_maxrss // 1024}


def session_peaks(session: int) -> dict[int, int]:
    peaks = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if int((entry / "stat").read_text().rpartition(")")[2].split()[3]) != session:
                continue
            status = dict(line.split(":", 1) for line in (entry / "status").read_text().splitlines())
            peaks[int(entry.name)] = int(status["VmHWM"].split()[0]) // 1024
        except (OSError, KeyError, IndexError):
            continue
    return peaks


def wall_of_builds(files: list[str], folder: Path, builds: int, given: list[str]) -> float:
    """Wall seconds of this many independent builds of one worker each: the limit of this machine."""
    start = time.perf_counter()
    children = [
        subprocess.Popen(command(files, folder / f"{build}", 1, given), stdout=subprocess.DEVNULL)
        for build in range(builds)
    ]
    codes = [child.wait() for child in children]
    assert codes == [0] * builds
    return time.perf_counter() - start


def scaling(files: list[str], worker_counts: list[int], rounds: int, given: list[str]) -> None:
    walls: dict[int, list[float]] = {workers: [] for workers in worker_counts}
    cpus: dict[int, list[float]] = {workers: [] for workers in worker_counts}
    most, limits = max(worker_counts), list[float]()
    with tempfile.TemporaryDirectory() as folder:
        for turn in range(rounds):
            for workers in worker_counts:
                wall, cpu = timed(command(files, Path(folder) / f"{turn}-{workers}", workers, given))
                walls[workers].append(wall)
                cpus[workers].append(cpu)
            limits.append(
                most * walls[worker_counts[0]][-1] / wall_of_builds(files, Path(folder) / f"{turn}", most, given)
            )
    print(f"\n{len(files)} photos, process start to end, alternated {rounds} times (load {os.getloadavg()[0]:.1f})")
    print("workers   photos/s (best)   CPU s   speed against the first row, median of rounds")
    for workers in worker_counts:
        ratio = statistics.median(a / b for a, b in zip(walls[worker_counts[0]], walls[workers], strict=True))
        print(f"{workers:7} {len(files) / min(walls[workers]):14.2f} {min(cpus[workers]):11.1f} {ratio:14.2f}")
    limit = statistics.median(limits)
    print(f"{most} builds of one worker at once do {limit:.2f} times the work of one: this machine's limit")


def memory(portrait: str, worker_counts: list[int], given: list[str]) -> None:
    pixels = cv2.imread(portrait)
    print("\npeak resident memory, MiB, of each process; 16 photos")
    for name, (width, height) in SIZES.items():
        with tempfile.TemporaryDirectory() as folder:
            files = [str(Path(folder) / f"{index}.jpg") for index in range(16)]
            for index, file in enumerate(files):
                moved = cv2.resize(pixels[index:, index:], (width, height))
                cv2.imwrite(file, moved)
            for workers in worker_counts:
                peaks = peak_memory(command(files, Path(folder) / f"out{workers}", workers, given))
                print(f"{name:6} {workers} workers: {', '.join(map(str, sorted(peaks.values())))}")


def start_time(file: str, rounds: int) -> None:
    firsts, ends = list[float](), list[float]()
    for _ in range(rounds + 1):
        start = time.perf_counter()
        with subprocess.Popen([sys.executable, "-c", FIRST_FACE, file], stdout=subprocess.PIPE) as child:
            assert child.stdout and child.stdout.readline()
            firsts.append(time.perf_counter() - start)
        ends.append(time.perf_counter() - start)
    print(f"\nprocess start to the faces of the first photo: {statistics.median(firsts):.2f} s", end="")
    print(f" (best {min(firsts):.2f}); to its end {statistics.median(ends):.2f} s; median of {rounds + 1}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = Path(__file__).resolve().parents[2] / "shared"
    parser.add_argument("folder", nargs="?", default=str(shared / "data/wider_val_dev/images"))
    parser.add_argument("--photos", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--setting", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--only", choices=["stages", "scaling", "memory", "start"], nargs="+")
    arguments = parser.parse_args()
    adopt()
    files = [source.name for source in find_sources([arguments.folder], Settings.load()).sources][: arguments.photos]
    wanted = arguments.only or ["stages", "scaling", "memory", "start"]
    if "stages" in wanted:
        stages(files, arguments.setting)
    if "scaling" in wanted:
        scaling(files, arguments.workers, arguments.rounds, arguments.setting)
    if "memory" in wanted:
        memory(files[0], arguments.workers, arguments.setting)
    if "start" in wanted:
        start_time(files[0], arguments.rounds)


if __name__ == "__main__":
    main()

"""Speed of the service against the bare pipeline, on the same photos in the same run.

    python bench/service.py FOLDER [--photos 40] [--rounds 3] [--connections 1 4 16 64] [--forms none reference]

A round runs the bare pipeline once over all photos, and then the service once over all photos for each form and number
of connections. Both use the same number of processes and take the next photo when the last one is done (closed loop).
Ratios are to the bare pipeline of the same round; times depend on the machine. `alone` sends one photo at a time,
taking turns with a pipeline in this process.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import psutil

from facesieve import Pipeline, Settings
from facesieve.processes.cores import cores

TOKEN = "bench"
FORMS = {"none": "/v1/faces?crops=none", "reference": "/upload"}


class Pass(NamedTuple):
    """One pass over all photos: photos per second, CPU seconds per photo, seconds per request, refusals, MB."""

    rate: float
    cpu: float
    seconds: list[float]
    refused: int
    memory: float


def main() -> None:
    options = arguments()
    photos = [file.read_bytes() for file in sorted(options.folder.rglob("*.jpg"))[: options.photos]]
    workers = cores()
    bare: list[Pass] = []
    rows: dict[tuple[str, int], list[Pass]] = {(form, n): [] for form in options.forms for n in options.connections}
    with bare_pipelines(photos, workers) as once, service(workers) as (port, process):
        for form in options.forms:
            alone(port, form, photos, options.rounds)
        for _ in range(options.rounds):
            bare.append(once())
            for (form, connections), passes in rows.items():
                passes.append(serve_all(port, process, FORMS[form], photos, connections))
    print(f"{len(photos)} photos, {workers} workers, {options.rounds} rounds")
    print("| form | connections | photos/s | of bare | CPU of bare | p50 ms | p95 ms | p99 ms | refused | memory MB |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    print(f"| bare | {workers} | {median(one.rate for one in bare):.2f} | 1.00 | 1.00 | | | | | |")
    for (form, connections), passes in rows.items():
        show(form, connections, passes, bare)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=list(FORMS))
    return parser.parse_args()


def show(form: str, connections: int, passes: list[Pass], bare: list[Pass]) -> None:
    rates = [one.rate / other.rate for one, other in zip(passes, bare, strict=True)]
    cpus = [one.cpu / other.cpu for one, other in zip(passes, bare, strict=True)]
    seconds = [value for one in passes for value in one.seconds]
    times = " | ".join(f"{percentile(seconds, share) * 1e3:.0f}" for share in (0.5, 0.95, 0.99))
    refused, memory = sum(one.refused for one in passes), max(one.memory for one in passes)
    print(
        f"| {form} | {connections} | {median(one.rate for one in passes):.2f} "
        f"| {median(rates):.2f} ({min(rates):.2f} to {max(rates):.2f}) | {median(cpus):.2f} "
        f"| {times} | {refused} | {memory:.0f} |"
    )


@contextmanager
def bare_pipelines(photos: list[bytes], workers: int) -> Iterator[Callable[[], Pass]]:
    """The bare pipeline in this many processes; each call processes all photos once."""
    context = multiprocessing.get_context("spawn")
    next_photo, barrier = context.Value("i", 0), context.Barrier(workers + 1)
    processes = [context.Process(target=work, args=(photos, next_photo, barrier), daemon=True) for _ in range(workers)]
    for process in processes:
        process.start()

    def once() -> Pass:
        next_photo.value = 0
        before = spent(processes)
        barrier.wait()
        started = time.perf_counter()
        barrier.wait()
        rate = len(photos) / (time.perf_counter() - started)
        return Pass(rate, (spent(processes) - before) / len(photos), [], 0, 0)

    barrier.wait()
    yield once
    for process in processes:
        process.kill()


def work(photos: list[bytes], next_photo: Any, barrier: Any) -> None:
    import cv2

    settings = Settings.load()
    cv2.setNumThreads(settings.threads)
    pipeline = Pipeline(settings)
    pipeline.process(photos[:1])
    barrier.wait()
    while True:
        barrier.wait()
        while True:
            with next_photo.get_lock():
                index = next_photo.value
                next_photo.value += 1
            if index >= len(photos):
                break
            pipeline.process([photos[index]])
        barrier.wait()


@contextmanager
def service(workers: int) -> Iterator[tuple[int, psutil.Process]]:
    given = {"TOKENS": json.dumps([TOKEN]), "PORT": "0", "WORKERS": str(workers), "DEADLINE": "120"}
    process = subprocess.Popen(
        [sys.executable, "-m", "facesieve", "serve"],
        env=os.environ | {f"FACESIEVE_SERVICE_{name}": value for name, value in given.items()},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    port = next(int(found[1]) for line in process.stdout if (found := re.search(r":(\d+)$", line.strip())))
    while ask(http.client.HTTPConnection("127.0.0.1", port), "GET", "/readyz") != 200:
        time.sleep(0.1)
    yield port, psutil.Process(process.pid)
    process.terminate()
    process.wait()


def ask(connection: http.client.HTTPConnection, method: str, path: str, photo: bytes = b"") -> int:
    """Send one request, read the whole answer, and return its status."""
    headers = {"Authorization": TOKEN}
    if path == "/upload":
        part = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'
        photo, headers["Content-Type"] = part + photo + b"\r\n--b--\r\n", "multipart/form-data; boundary=b"
    connection.request(method, path, photo or None, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def alone(port: int, form: str, photos: list[bytes], rounds: int) -> None:
    """Print the time of each photo on one connection over the time of the pipeline; both take turns, medians."""
    pipeline = Pipeline()
    connection = http.client.HTTPConnection("127.0.0.1", port)
    pipeline.process(photos[:3])
    ratios = []
    for photo in photos:
        turns = [
            (
                timed(lambda photo=photo: pipeline.process([photo])),
                timed(lambda photo=photo: ask(connection, "POST", FORMS[form], photo)),
            )
            for _ in range(rounds)
        ]
        own, asked = (median(seconds) for seconds in zip(*turns, strict=True))
        ratios.append(asked / own)
    shares = ", ".join(f"{name} {percentile(ratios, share):.2f}" for name, share in (("p50", 0.5), ("p99", 0.99)))
    print(f"{form} alone, over the pipeline's own time for the photo: {shares}", flush=True)


def timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def serve_all(port: int, process: psutil.Process, path: str, photos: list[bytes], connections: int) -> Pass:
    """One pass of the service over all photos."""
    processes = [process, *process.children(recursive=True)]
    left, lock = iter(photos), threading.Lock()
    seconds: list[float] = []
    refused: list[int] = []

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while True:
            with lock:
                photo = next(left, None)
            if photo is None:
                return
            started = time.perf_counter()
            while (status := ask(connection, "POST", path, photo)) != 200:
                refused.append(status)
                time.sleep(0.2)
            seconds.append(time.perf_counter() - started)

    clients = [threading.Thread(target=client) for _ in range(connections)]
    before, started = spent(processes), time.perf_counter()
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    rate = len(photos) / (time.perf_counter() - started)
    memory = sum(one.memory_info().rss for one in processes) / 2**20
    return Pass(rate, (spent(processes) - before) / len(photos), seconds, len(refused), memory)


def spent(processes: list[Any]) -> float:
    """CPU seconds that the processes have used so far."""
    times = [psutil.Process(process.pid).cpu_times() for process in processes]
    return sum(one.user + one.system for one in times)


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


if __name__ == "__main__":
    main()

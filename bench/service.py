"""How fast the service is, against the bare pipeline on the same photos in the same run.

    python bench/service.py FOLDER [--photos 60] [--seconds 20] [--connections 1 4 16 64]

Closed loop: each connection sends its next photo when it has the answer to the last. The bare pipeline runs as many
processes as the service has workers. Ratios are to be read, times depend on the machine.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import multiprocessing
import os
import re
import subprocess
import sys
import threading
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from facesieve import Pipeline, Settings

TOKEN = "bench"
FORMS = {"none": "/v1/faces?crops=none", "reference": "/upload"}


def main() -> None:
    options = arguments()
    photos = [file.read_bytes() for file in sorted(options.folder.rglob("*.jpg"))[: options.photos]]
    workers = os.cpu_count() or 1
    alone = own_times(photos)
    print(f"{len(photos)} photos, {workers} workers, {options.seconds} s a row")
    print(f"| {'':>11} | connections | photos/s | of bare | p50 ms | p95 ms | p99 ms | refused | memory MB |")
    print("|---|---|---|---|---|---|---|---|---|")
    bare = bare_rate(photos, workers, options.seconds)
    print(f"| {'bare':>11} | {workers} | {bare:.2f} | 1.00 | {median(alone) * 1e3:.0f} | | | | |")
    process, port = serve(workers)
    try:
        for form, path in FORMS.items():
            ratio_alone(port, path, photos, alone, form)
            for connections in options.connections:
                row(port, path, photos, connections, options.seconds, form, bare, process.pid)
    finally:
        process.terminate()
        process.wait()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 4, 16, 64])
    return parser.parse_args()


def own_times(photos: list[bytes]) -> list[float]:
    """Seconds of the pipeline on each photo alone; a first pass warms it up."""
    pipeline = Pipeline()
    seconds = []
    for photo in photos[:3] + photos:
        started = time.perf_counter()
        pipeline.process([photo])
        seconds.append(time.perf_counter() - started)
    return seconds[3:]


def bare_rate(photos: list[bytes], workers: int, seconds: float) -> float:
    """Photos a second of as many processes as there are workers, each with a pipeline of its own."""
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(workers + 1)
    counts = context.Array("i", workers)
    crew = [context.Process(target=work, args=(photos, ready, seconds, counts, i)) for i in range(workers)]
    for process in crew:
        process.start()
    ready.wait()
    started = time.perf_counter()
    for process in crew:
        process.join()
    return sum(counts) / (time.perf_counter() - started)


def work(photos: list[bytes], ready: Barrier, seconds: float, counts: Any, index: int) -> None:
    import cv2

    settings = Settings.load()
    cv2.setNumThreads(settings.threads)
    pipeline = Pipeline(settings)
    pipeline.process(photos[:1])
    ready.wait()
    until = time.perf_counter() + seconds
    for photo in itertools.cycle(photos[index:] + photos[:index]):
        if time.perf_counter() > until:
            return
        pipeline.process([photo])
        counts[index] += 1


def serve(workers: int) -> tuple[subprocess.Popen[str], int]:
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
    return process, port


def ask(connection: http.client.HTTPConnection, method: str, path: str, photo: bytes = b"") -> int:
    """Status of the answer, which is read whole."""
    headers = {"Authorization": TOKEN}
    if path == "/upload":
        part = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n'
        photo, headers["Content-Type"] = part + photo + b"\r\n--b--\r\n", "multipart/form-data; boundary=b"
    connection.request(method, path, photo or None, headers)
    answer = connection.getresponse()
    answer.read()
    return answer.status


def ratio_alone(port: int, path: str, photos: list[bytes], alone: list[float], form: str) -> None:
    """One connection: each photo's time over the pipeline's own time for it."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    ratios = []
    for photo, own in zip(photos, alone, strict=True):
        started = time.perf_counter()
        ask(connection, "POST", path, photo)
        ratios.append((time.perf_counter() - started) / own)
    told = ", ".join(f"{name} {percentile(ratios, share):.2f}" for name, share in (("p50", 0.5), ("p99", 0.99)))
    print(f"| {form:>11} | 1 | time over the pipeline's own for the photo: {told} |")


def row(
    port: int, path: str, photos: list[bytes], connections: int, seconds: float, form: str, bare: float, pid: int
) -> None:
    served: list[float] = []
    refused: list[int] = []
    until = time.perf_counter() + seconds

    def client(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for photo in itertools.islice(itertools.cycle(photos), number, None):
            started = time.perf_counter()
            if started > until:
                return
            status = ask(connection, "POST", path, photo)
            if status == 200:
                served.append(time.perf_counter() - started)
            else:
                refused.append(status)
                time.sleep(0.2)

    clients = [threading.Thread(target=client, args=(number,)) for number in range(connections)]
    began = time.perf_counter()
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    rate = len(served) / (time.perf_counter() - began)
    times = " | ".join(f"{percentile(served, share) * 1e3:.0f}" for share in (0.5, 0.95, 0.99))
    process = psutil.Process(pid)
    memory = sum(one.memory_info().rss for one in [process, *process.children(recursive=True)]) / 2**20
    print(
        f"| {form:>11} | {connections} | {rate:.2f} | {rate / bare:.2f} | {times} | {len(refused)} | {memory:.0f} |",
        flush=True,
    )


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


if __name__ == "__main__":
    main()

"""Dead workers, clients that leave, clients that dawdle: the service and everybody else go on."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from raw import head_of

from facesieve.service.api_errors import codes


def until(true: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "never became true"
        time.sleep(0.05)


def test_a_worker_that_dies_costs_one_request_and_is_replaced(start: Any, large: bytes, astronaut: Path) -> None:
    running = start(workers=1, waiting=4, deadline=60)
    [before] = running.workers()
    with ThreadPoolExecutor(2) as clients:
        first = clients.submit(running.faces, large)
        until(lambda: running.gauge("facesieve_working"))
        second = clients.submit(running.faces, astronaut.read_bytes())
        until(lambda: running.gauge("facesieve_waiting"))
        before.kill()
        answer = first.result()
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "worker_died")
        assert second.result().status_code == 200
    [after] = running.workers()
    assert after.pid != before.pid
    assert running.gauge("facesieve_workers_replaced_total") == 1
    assert running.gauge('facesieve_workers_replaced_total{reason="killed"}') == 1
    assert [entry["reason"] for entry in running.events("worker_ended", 1)] == ["killed"]
    statuses = [entry["status"] for entry in running.events("request", 2) if entry["route"] == "/v1/faces"]
    assert sorted(statuses) == [200, 503]


def test_a_worker_that_dies_idle_is_not_noticed(service: Any, astronaut: Path) -> None:
    [worker] = service.workers()
    worker.kill()
    time.sleep(0.5)  # until all its threads are gone
    assert service.faces(astronaut.read_bytes()).status_code == 200
    assert service.workers() != [worker]


def test_nothing_runs_for_a_client_that_has_gone(start: Any, large: bytes) -> None:
    running = start(workers=1, waiting=4, deadline=60, grace=0.2)
    [worker] = running.workers()
    clients = []
    for _ in range(3):
        clients.append(socket.create_connection(("127.0.0.1", running.port), timeout=20))
        clients[-1].sendall(head_of("/v1/faces", f"Content-Length: {len(large)}") + large)
    until(lambda: running.gauge("facesieve_waiting") == 2)
    for client in clients:
        client.close()
    until(lambda: running.gauge("facesieve_waiting") == running.gauge("facesieve_working") == 0, 5)
    until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE or idle(worker), 5)
    gone = [entry for entry in running.events("request", 3) if entry["route"] == "/v1/faces"]
    assert [(entry["status"], entry["code"]) for entry in gone] == [(499, "client_gone")] * 3
    text = requests.get(f"{running.url}/metrics", timeout=5).text
    assert "facesieve_pictures_total{" not in text


def idle(worker: psutil.Process) -> bool:
    try:
        before = worker.cpu_times().user
        time.sleep(0.2)
        return worker.cpu_times().user == before
    except psutil.NoSuchProcess:
        return True


def test_clients_that_dawdle_are_closed_and_the_others_are_not_harmed(start: Any, astronaut: Path) -> None:
    dawdle(start(workers=1, deadline=2, header_timeout=2), astronaut, headers=30, bodies=10, seconds=5)


@pytest.mark.slow
def test_three_hundred_half_headers_and_a_hundred_slow_bodies_are_closed_by_eleven_seconds(
    start: Any, astronaut: Path
) -> None:
    dawdle(start(workers=1), astronaut, headers=300, bodies=100, seconds=11)


def dawdle(running: Any, astronaut: Path, headers: int, bodies: int, seconds: float) -> None:
    """All are closed within so many seconds of their first byte, while a healthy client is served all along."""
    photo = astronaut.read_bytes()
    assert running.faces(photo).status_code == 200
    process = psutil.Process(running.process.pid)
    descriptors = process.num_fds()
    healthy: list[int] = []
    done = threading.Event()

    def ask() -> None:
        while not done.wait(0.3):
            healthy.append(running.faces(photo).status_code)

    client = threading.Thread(target=ask)
    client.start()
    begun: dict[socket.socket, float] = {}
    for number in range(headers + bodies):
        slow = socket.create_connection(("127.0.0.1", running.port), timeout=30)
        whole = head_of("/v1/faces", "Content-Length: 1000")
        slow.sendall(whole if number < bodies else whole[:40])
        begun[slow] = time.monotonic()
    dripping = list(begun)[:bodies]
    said, lasted = listen(begun, dripping, seconds + 5)
    done.set()
    client.join()
    assert len(lasted) == headers + bodies
    assert max(lasted.values()) <= seconds
    assert all(b" 408 " in said[slow] and b"body_timeout" in said[slow] for slow in dripping)
    assert not any(said[slow] for slow in begun if slow not in dripping)
    assert 3 * len(healthy) > seconds and set(healthy) == {200}
    until(lambda: process.num_fds() <= descriptors)


def listen(
    begun: dict[socket.socket, float], dripping: list[socket.socket], seconds: float
) -> tuple[dict[socket.socket, bytes], dict[socket.socket, float]]:
    """What each connection was told, and after how many seconds it was closed; a byte a second to those that drip."""
    said, lasted = dict.fromkeys(begun, b""), {}
    end, drop = time.monotonic() + seconds, time.monotonic()
    with selectors.DefaultSelector() as selector:
        for slow in begun:
            selector.register(slow, selectors.EVENT_READ)
        while selector.get_map() and time.monotonic() < end:
            for key, _ in selector.select(0.1):
                slow = key.fileobj
                assert isinstance(slow, socket.socket)
                received = received_from(slow)
                said[slow] += received
                if not received:
                    lasted[slow] = time.monotonic() - begun[slow]
                    selector.unregister(slow)
                    slow.close()
            if time.monotonic() > drop:
                drop += 1
                for slow in dripping:
                    if slow not in lasted and not said[slow]:
                        slow.sendall(b"x")
    return said, lasted


def received_from(connection: socket.socket) -> bytes:
    try:
        return connection.recv(4096)
    except ConnectionResetError:
        return b""


def test_a_refused_picture_leaves_the_memory_at_once(service: Any) -> None:
    """Not when the garbage collector comes round: forty of eight megabytes take what a few take."""
    process, junk = psutil.Process(service.process.pid), b"junk" * 2_000_000
    service.faces(junk)
    before = process.memory_info().rss
    highest = before
    with ThreadPoolExecutor(2) as clients:
        for answer in clients.map(service.faces, [junk] * 40):
            assert answer.status_code == 415
            highest = max(highest, process.memory_info().rss)
    assert highest - before < 8 * len(junk)


def hostile(shared: Path) -> list[Path]:
    return sorted(file for file in (shared / "data/hostile_dev").rglob("*") if file.is_file() and file.suffix != ".tsv")


def refuse_or_read(running: Any, file: Path) -> set[tuple[int, str]]:
    """What both forms say of a file: documented, and nothing of its content or of this machine."""
    data = file.read_bytes()
    said = set()
    for answer in (running.upload(data), running.faces(data)):
        body = answer.json()
        code = body["error"]["code"] if "error" in body else ""
        assert answer.status_code == (codes()[code][0] if code else 200), (file.name, answer.text[:300])
        if code:
            assert set(body) == {"error", "request_id"}
            assert told_too_much(answer, file, data) == []
        said.add((answer.status_code, code))
    return said


def told_too_much(answer: requests.Response, file: Path, data: bytes) -> list[object]:
    """Words in an answer that tell of the machine, and pieces of the file."""
    text = f"{answer.headers} {answer.text}"
    versions = [version(name) for name in ("facesieve", "tornado", "pillow", "opencv-python-headless", "numpy")]
    words = ["Traceback", "/work", "/usr", "/root", "site-packages", "cv2", "PIL", "Tornado", file.name, *versions]
    pieces = [data[start : start + 12] for start in range(0, min(len(data), 12_000), 12)]
    whole = text.encode()
    return [word for word in words if word in text] + [
        piece for piece in pieces if len(set(piece)) > 3 and piece in whole
    ]


def test_every_eighth_hostile_file_gets_a_documented_answer(service: Any, shared: Path, astronaut: Path) -> None:
    before = service.upload(astronaut.read_bytes()).json()
    for file in hostile(shared)[::8]:
        said = refuse_or_read(service, file)
        assert not {status for status, _ in said} & {500, 503}, file.name
    assert service.upload(astronaut.read_bytes()).json() == before


@pytest.mark.slow
def test_every_hostile_file_gets_a_documented_answer_and_the_seed_photo_its_own(service: Any, shared: Path) -> None:
    seed = (shared / "seed/famous-selfie.jpg").read_bytes()
    before = service.upload(seed).json()
    files = hostile(shared)
    assert len(files) >= 270
    for file in files:
        said = refuse_or_read(service, file)
        assert not {status for status, _ in said} & {500, 503}, file.name
    assert service.upload(seed).json() == before

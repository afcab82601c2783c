"""Dead workers, clients that leave, clients that dawdle: the service and everybody else go on."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from test_limits import head_of
from test_overload import large  # noqa: F401 - a fixture

from facesieve.service.faults import codes


def until(true: Callable[[], object], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "never became true"
        time.sleep(0.05)


def test_a_worker_that_dies_costs_one_request_and_is_replaced(start: Any, large: bytes, astronaut: Path) -> None:  # noqa: F811
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
    statuses = [entry["status"] for entry in running.events("request") if entry["route"] == "/v1/faces"]
    assert sorted(statuses) == [200, 503]


def test_a_worker_that_dies_idle_is_not_noticed(start: Any, astronaut: Path) -> None:
    running = start(workers=1)
    running.workers()[0].kill()
    time.sleep(0.3)
    assert running.faces(astronaut.read_bytes()).status_code == 200


def test_nothing_runs_for_a_client_that_has_gone(start: Any, large: bytes) -> None:  # noqa: F811
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
    gone = [entry for entry in running.events("request") if entry["route"] == "/v1/faces"]
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
    dawdle(start(workers=1, deadline=2, header_timeout=2), astronaut, headers=30, bodies=10, seconds=3)


@pytest.mark.slow
def test_three_hundred_half_headers_and_a_hundred_slow_bodies_are_closed_by_eleven_seconds(
    start: Any, astronaut: Path
) -> None:
    dawdle(start(workers=1), astronaut, headers=300, bodies=100, seconds=11)


def dawdle(running: Any, astronaut: Path, headers: int, bodies: int, seconds: float) -> None:
    photo = astronaut.read_bytes()
    assert running.faces(photo).status_code == 200
    process = psutil.Process(running.process.pid)
    descriptors = process.num_fds()
    started = time.monotonic()
    slow = [socket.create_connection(("127.0.0.1", running.port), timeout=30) for _ in range(headers + bodies)]
    for connection in slow[:headers]:
        connection.sendall(b"POST /upload HTTP/1.1\r\nHost: x\r\nAuthor")
    for connection in slow[headers:]:
        connection.sendall(head_of("/v1/faces", "Content-Length: 1000"))
    said: dict[socket.socket, bytes] = {}
    left = set(slow)
    while left and time.monotonic() < started + seconds + 5:
        for connection in list(left):
            connection.settimeout(0)
            try:
                if connection in slow[headers:] and connection not in said:
                    connection.send(b"x")
                received = connection.recv(4096)
                said[connection] = said.get(connection, b"") + received
                if not received:
                    left.discard(connection)
            except BlockingIOError:
                continue
            except OSError:
                left.discard(connection)
        assert running.faces(photo).status_code == 200
        time.sleep(0.5)
    assert not left and time.monotonic() - started < seconds + 2
    told = [said.get(connection, b"") for connection in slow[headers:]]
    assert all(b" 408 " in answer and b"body_timeout" in answer for answer in told)
    for connection in slow:
        connection.close()
    until(lambda: process.num_fds() <= descriptors)


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
            words = ("Traceback", "/work", "/usr", "/root", "site-packages", "cv2", "PIL", file.name)
            assert not [word for word in words if word in answer.text]
        said.add((answer.status_code, code))
    return said


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
        assert not {status for status, _ in said} & {500}, file.name
    assert service.upload(seed).json() == before

"""Starting, stopping, and stopping under load: what was accepted is answered, and the exit status is true."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from raw import answer_of, head_of


def test_it_lives_before_it_is_ready_and_refuses_pictures_until_then(start: Any, astronaut: Path) -> None:
    running = start(ready=False)
    assert requests.get(f"{running.url}/livez", timeout=5).status_code == 200
    early = requests.get(f"{running.url}/readyz", timeout=5)
    refused = running.faces(astronaut.read_bytes())
    assert (early.status_code, refused.status_code, refused.json()["error"]["code"]) == (503, 503, "not_ready")
    assert running.wait_ready().faces(astronaut.read_bytes()).status_code == 200


class Load:
    """Eight clients that ask again as soon as they are answered, and one whose body arrives in two halves."""

    def __init__(self, running: Any, photo: bytes) -> None:
        self.running, self.photo = running, photo
        self.answered: list[tuple[int, str, float]] = []  # status, code, seconds
        self.refused = 0
        self.lost: list[str] = []
        self.done = threading.Event()
        self.clients = [threading.Thread(target=self.client) for _ in range(8)]
        for thread in self.clients:
            thread.start()

    def client(self) -> None:
        while not self.done.is_set():
            started = time.monotonic()
            try:
                answer = self.running.faces(self.photo)
            except requests.ConnectionError as error:
                # The kernel refuses a new connection, or resets one whose handshake met the closing of the listener.
                if "Failed to establish a new connection" in str(error):
                    self.refused += 1
                else:
                    self.lost.append(str(error))
                time.sleep(0.02)
            else:
                code = answer.json()["error"]["code"] if answer.status_code != 200 else ""
                self.answered.append((answer.status_code, code, time.monotonic() - started))

    def end(self) -> None:
        self.done.set()
        for thread in self.clients:
            thread.join()


def check_stop(start: Any, photo: bytes) -> None:
    """SIGTERM under load: whoever was accepted is answered, and the service ends in time with 0."""
    running = start(workers=2)
    workers = running.workers()
    load = Load(running, photo)
    until = time.monotonic() + 30
    while len(load.answered) < 4 or not running.gauge("facesieve_waiting"):
        assert time.monotonic() < until
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as halved:
        halved.sendall(head_of("/v1/faces", f"Content-Length: {len(photo)}") + photo[:1000])
        running.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        time.sleep(0.3)
        halved.sendall(photo[1000:])
        assert answer_of(halved)[0] == 200
    assert running.process.wait(20) == 0
    assert time.monotonic() - began < 20
    load.end()
    assert not load.lost and load.refused
    # With two workers and sixteen places nobody is told no, and an answer "too late" is one only when it is true.
    late = [seconds for status, code, seconds in load.answered if (status, code) == (503, "deadline")]
    assert all(seconds >= 10 for seconds in late)
    assert len(late) + [status for status, _, _ in load.answered].count(200) == len(load.answered)
    # The service's own books say the same: it was at work, and all that it had taken was answered.
    [stopping] = running.events("stopping")
    statuses = [entry["status"] for entry in running.events("request") if entry["route"] == "/v1/faces"]
    assert stopping["active"] >= 2
    assert len(statuses) == len(load.answered) + 1 and 499 not in statuses
    assert [entry["event"] for entry in running.events("stopped")] == ["stopped"]
    assert not [worker for worker in workers if worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE]


def test_on_sigterm_every_accepted_request_is_answered(start: Any, hopper: Path) -> None:
    check_stop(start, hopper.read_bytes())


@pytest.mark.slow
@pytest.mark.parametrize("run", range(20))
def test_it_stops_well_twenty_times_of_twenty(start: Any, medium: bytes, run: int) -> None:
    check_stop(start, medium)


def test_what_is_not_done_when_the_time_to_drain_is_over_is_answered_too(start: Any, huge: bytes) -> None:
    running = start(workers=1, deadline=60, drain=0.1)
    with ThreadPoolExecutor(3) as clients:
        asked = [clients.submit(running.faces, huge) for _ in range(3)]
        while running.gauge("facesieve_waiting") < 2:
            time.sleep(0.02)
        assert running.stop(5) == 0
        answers = [(answer.result().status_code, answer.result().json()["error"]["code"]) for answer in asked]
    assert answers == [(503, "deadline")] * 3


def test_after_sigterm_it_is_not_ready_and_takes_no_new_connection(start: Any, astronaut: Path) -> None:
    running = start(workers=1)
    held = requests.Session()
    assert held.get(f"{running.url}/livez", timeout=5).status_code == 200
    busy = threading.Thread(target=running.faces, args=(astronaut.read_bytes(),))
    busy.start()
    while not running.gauge("facesieve_working"):
        time.sleep(0.01)
    running.process.send_signal(signal.SIGTERM)
    signalled = time.monotonic()
    while (ready := held.get(f"{running.url}/readyz", timeout=5)).status_code == 200:
        pass
    assert time.monotonic() - signalled < 5
    assert (ready.status_code, ready.json()["error"]["code"]) == (503, "not_ready")
    assert ready.headers["Connection"] == "close"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", running.port), timeout=5)
    busy.join()
    assert running.process.wait(20) == 0


def test_a_second_signal_exits_at_once(start: Any, huge: bytes) -> None:
    running = start(workers=1, deadline=60, drain=60)
    workers = running.workers()
    clients = [threading.Thread(target=swallow, args=(lambda: running.faces(huge),)) for _ in range(4)]
    for client in clients:
        client.start()
    while running.gauge("facesieve_waiting") < 3:
        time.sleep(0.02)
    running.process.send_signal(signal.SIGTERM)
    time.sleep(0.7)
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(5) == 1
    for client in clients:
        client.join()
    time.sleep(0.5)
    assert not [worker for worker in workers if worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE]


def test_a_supervisor_that_signals_twice_at_once_cuts_off_nobody(start: Any, huge: bytes) -> None:
    running = start(workers=1, deadline=120, drain=120)
    with ThreadPoolExecutor(1) as clients:
        asked = clients.submit(running.faces, huge)
        while not running.gauge("facesieve_working"):
            time.sleep(0.01)
        for _ in range(2):
            running.process.send_signal(signal.SIGTERM)
            time.sleep(0.05)
        assert asked.result().status_code == 200
    assert running.process.wait(20) == 0


def swallow(work: Any) -> None:
    try:
        work()
    except requests.RequestException:
        return


def test_workers_end_with_a_service_that_is_killed(start: Any) -> None:
    running = start(workers=2)
    workers = running.workers()
    assert len(workers) == 2
    running.process.kill()
    running.process.wait()
    until = time.monotonic() + 10
    while any(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_what_is_wrong_is_said_in_one_sentence_before_anything_starts(
    run: Callable[..., tuple[int, str, str]], service: Any, tmp_path: Path
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("[service]\nporrt = 3\n")
    wrong = [
        ("[token_required]", "--address", "0.0.0.0", "--port", "0"),
        ("[no_address]", "--port", service.port),
        ("[unknown_preset]", "--policy", "mild"),
        ("[bad_setting]", "--log", "loud"),
        ("[bad_setting]", "--settings", file),
    ]
    for code, *arguments in wrong:
        status, _, said = run("serve", *arguments)
        assert (status, code in said.replace("\n", " ")) == (2, True), said
        assert "Traceback" not in said


def test_a_worker_that_cannot_start_ends_the_service_with_its_reason(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "facesieve", "serve", "--port", "0"],
        env=os.environ | {"FACESIEVE_OFFLINE": "1", "FACESIEVE_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, "[offline]" in ended.stderr) == (2, True), ended.stderr
    assert "Traceback" not in ended.stderr


def test_settings_come_from_the_table_of_the_file_and_the_environment_wins(tmp_path: Path) -> None:
    from facesieve.settings import ServiceSettings, Settings

    file = tmp_path / "settings.toml"
    file.write_text("min_face_size = 40\n[service]\nport = 4000\nwaiting = 3\n")
    os.environ["FACESIEVE_SERVICE_WAITING"] = "5"
    try:
        service = ServiceSettings.load(file, workers=7)
    finally:
        del os.environ["FACESIEVE_SERVICE_WAITING"]
    assert (service.port, service.waiting, service.workers) == (4000, 5, 7)
    assert Settings.load(file).min_face_size == 40

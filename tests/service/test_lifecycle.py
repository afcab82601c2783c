"""Starting, stopping, and stopping under load: what was accepted is answered, and the exit status is true."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests


def test_it_lives_before_it_is_ready_and_refuses_pictures_until_then(start: Any, astronaut: Path) -> None:
    running = start(ready=False)
    assert requests.get(f"{running.url}/livez", timeout=5).status_code == 200
    early = requests.get(f"{running.url}/readyz", timeout=5)
    refused = running.faces(astronaut.read_bytes())
    assert (early.status_code, refused.status_code, refused.json()["error"]["code"]) == (503, 503, "not_ready")
    assert running.wait_ready().faces(astronaut.read_bytes()).status_code == 200


def stopped_under_load(running: Any, photo: bytes) -> Counter[str]:
    """SIGTERM while eight clients ask: what each of their requests came to."""
    outcomes: Counter[str] = Counter()
    done = threading.Event()

    def client() -> None:
        while not done.is_set():
            try:
                answer = running.faces(photo)
                outcomes[answer.json()["error"]["code"] if answer.status_code != 200 else "read"] += 1
            except requests.ConnectionError as error:
                outcomes["refused" if "refused" in str(error) else f"lost: {error}"] += 1
                time.sleep(0.02)

    clients = [threading.Thread(target=client) for _ in range(8)]
    for thread in clients:
        thread.start()
    while not outcomes["read"]:
        time.sleep(0.05)
    began = time.monotonic()
    assert running.stop(20) == 0
    assert time.monotonic() - began < 20
    done.set()
    for thread in clients:
        thread.join()
    return outcomes


def check_stop(start: Any, photo: bytes) -> None:
    running = start(workers=2)
    workers = running.workers()
    outcomes = stopped_under_load(running, photo)
    assert set(outcomes) <= {"read", "busy", "deadline", "refused"}, outcomes
    assert [entry["event"] for entry in running.events("stopped")] == ["stopped"]
    assert not [worker for worker in workers if worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE]


def test_on_sigterm_every_accepted_request_is_answered(start: Any, astronaut: Path) -> None:
    check_stop(start, astronaut.read_bytes())


@pytest.mark.slow
def test_it_stops_well_twenty_times_of_twenty(start: Any, astronaut: Path) -> None:
    for _ in range(20):
        check_stop(start, astronaut.read_bytes())


def test_after_sigterm_it_is_not_ready_and_takes_no_new_connection(start: Any, astronaut: Path) -> None:
    running = start(workers=1)
    held = requests.Session()
    assert held.get(f"{running.url}/livez", timeout=5).status_code == 200
    busy = threading.Thread(target=running.faces, args=(astronaut.read_bytes(),))
    busy.start()
    while not running.gauge("facesieve_working"):
        time.sleep(0.01)
    running.process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    ready = held.get(f"{running.url}/readyz", timeout=5)
    assert (ready.status_code, ready.json()["error"]["code"]) == (503, "not_ready")
    assert ready.headers["Connection"] == "close"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", running.port), timeout=5)
    busy.join()
    assert running.process.wait(20) == 0


def test_a_second_signal_exits_at_once(start: Any, shared: Path) -> None:
    running = start(workers=1)
    workers = running.workers()
    photo = (shared / "seed/famous-selfie.jpg").read_bytes()
    client = threading.Thread(target=lambda: swallow(lambda: [running.faces(photo) for _ in range(8)]))
    client.start()
    time.sleep(0.3)
    running.process.send_signal(signal.SIGTERM)
    time.sleep(0.05)
    running.process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    assert running.process.wait(5) == 1
    assert time.monotonic() - began < 1.5
    client.join()
    time.sleep(0.5)
    assert not [worker for worker in workers if worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE]


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


def serve(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "facesieve", "serve", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_what_is_wrong_is_said_in_one_sentence_before_anything_starts(service: Any, tmp_path: Path) -> None:
    bare = serve("--address", "0.0.0.0", "--port", "0")
    taken = serve("--port", str(service.port))
    unknown = serve("--policy", "mild")
    odd = serve("--log", "loud")
    file = tmp_path / "settings.toml"
    file.write_text("[service]\nporrt = 3\n")
    typo = serve("--settings", str(file))
    offline = serve("--port", "0", FACESIEVE_OFFLINE="1", FACESIEVE_CACHE_DIR=str(tmp_path))
    codes = ["token_required", "no_address", "unknown_preset", "bad_setting", "bad_setting", "offline"]
    for ended, code in zip((bare, taken, unknown, odd, typo, offline), codes, strict=True):
        assert (ended.returncode, f"[{code}]" in ended.stderr) == (2, True), ended.stderr
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

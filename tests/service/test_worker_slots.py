"""Workers of a real service that are killed, stopped or cannot start, while clients come and leave."""

from __future__ import annotations

import hashlib
import io
import os
import random
import resource
import signal
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import requests
from PIL import Image
from raw import head_of, limited, many
from running import until


@pytest.fixture(scope="module")
def pictures(astronaut: Path) -> dict[str, bytes]:
    """Pictures that can be told apart, by their sha256."""
    portrait, found = Image.open(astronaut).convert("RGB"), {}
    for number in range(24):
        data = io.BytesIO()
        portrait.resize((500 + number, 500 + number)).save(data, "JPEG")
        found[hashlib.sha256(data.getvalue()).hexdigest()] = data.getvalue()
    return found


class Clients:
    """Threads that ask for pictures until told to stop, each answer compared with the picture it belongs to."""

    def __init__(self, running: Any, pictures: dict[str, bytes]) -> None:
        self.running, self.pictures = running, list(pictures.items())
        self.outcomes: Counter[str] = Counter()
        self.ended = threading.Event()

    def ask(self) -> None:
        while not self.ended.is_set():
            picture_id, data = random.choice(self.pictures)
            answer = self.running.faces(data)
            if answer.status_code == 200:
                self.outcomes["own" if answer.json()["picture_id"] == picture_id else "foreign"] += 1
            else:
                self.outcomes[answer.json()["error"]["code"]] += 1

    def leave(self) -> None:
        """Ask, and leave at any moment: while the body or the answer is on its way, in the queue, at work."""
        while not self.ended.is_set():
            _, data = random.choice(self.pictures)
            client = socket.create_connection(("127.0.0.1", self.running.port), timeout=20)
            request = head_of("/v1/faces", f"Content-Length: {len(data)}") + data
            client.sendall(request[: random.choice([len(request), len(request), len(request) // 2])])
            time.sleep(random.choice([0, 0.01, 0.05, 0.1, 0.3]))
            client.close()
            time.sleep(0.02)

    def kill(self, pause: float) -> None:
        while not self.ended.is_set():
            if victims := self.running.workers():
                os.kill(random.choice(victims).pid, signal.SIGKILL)
            time.sleep(random.uniform(0, 2 * pause))


def storm(running: Any, pictures: dict[str, bytes], answers: int, pause: float) -> Counter[str]:
    """So many answers while workers are killed, busy and idle, and clients leave."""
    clients = Clients(running, pictures)
    work = [clients.ask] * 4 + [clients.leave] * 2 + [lambda: clients.kill(pause)]
    threads = [threading.Thread(target=one) for one in work]
    for thread in threads:
        thread.start()
    until(lambda: clients.outcomes["own"] >= answers or clients.outcomes["foreign"], 1200)
    clients.ended.set()
    for thread in threads:
        thread.join()
    return clients.outcomes


def check_storm(start: Any, pictures: dict[str, bytes], workers: int, answers: int, pause: float) -> None:
    running = start(workers=workers, niceness=0)
    front = psutil.Process(running.process.pid)
    outcomes = storm(running, pictures, answers, pause)
    assert set(outcomes) <= {"own", "worker_died", "deadline", "not_ready", "busy"}, outcomes
    until(lambda: running.gauge("facesieve_workers ") == workers)
    before = front.num_fds()
    for worker in running.workers():
        worker.kill()
    until(lambda: running.gauge("facesieve_workers ") == 0)
    until(lambda: running.gauge("facesieve_workers ") == workers)
    assert front.num_fds() <= before + 2, "descriptors of dead workers were returned"
    assert running.gauge("facesieve_working") == running.gauge("facesieve_held_bytes") == 0
    assert running.stop() == 0


def test_while_workers_are_killed_and_clients_leave_everyone_gets_their_own_answer(
    start: Any, pictures: dict[str, bytes]
) -> None:
    check_storm(start, pictures, workers=3, answers=40, pause=1.0)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [3, 4])
def test_two_thousand_answers_in_a_storm_are_everyones_own(
    start: Any, pictures: dict[str, bytes], workers: int
) -> None:
    check_storm(start, pictures, workers=workers, answers=2000, pause=2.0)


def test_an_idle_worker_that_dies_while_clients_come_and_leave_costs_nobody_an_answer(
    start: Any, pictures: dict[str, bytes]
) -> None:
    """The next client leaves while the replacement starts, and others ask meanwhile."""
    running = start(workers=2)
    (picture_id, data), *_ = pictures.items()
    for worker in running.workers():
        worker.kill()
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as leaving:
        leaving.sendall(head_of("/v1/faces", f"Content-Length: {len(data)}") + data)
        time.sleep(0.05)
    until(lambda: running.gauge("facesieve_workers ") > 0)
    for picture_id, data in pictures.items():
        answer = running.faces(data)
        assert (answer.status_code, answer.json()["picture_id"]) == (200, picture_id)


def test_workers_stopped_while_they_start_are_killed_and_started_again(start: Any, astronaut: Path) -> None:
    running = start(workers=2, start_timeout=6, deadline=120)
    until(lambda: running.gauge("facesieve_workers ") == 2)
    old = {worker.pid for worker in running.workers()}
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    starting: list[int] = []
    until(lambda: starting.extend(w.pid for w in running.workers() if w.pid not in old) or len(set(starting)) == 2)
    for pid in set(starting):
        os.kill(pid, signal.SIGSTOP)
    assert requests.get(f"{running.url}/readyz", timeout=5).status_code == 503
    running.wait_ready()
    assert running.gauge("facesieve_worker_start_failures_total") >= 1
    assert {entry["type"] for entry in running.events("worker_start_failed", 1)} == {"StartTimeout"}
    assert running.faces(astronaut.read_bytes()).status_code == 200


def test_workers_stopped_for_good_while_they_work_cost_their_requests_and_are_replaced(
    start: Any, large: bytes, astronaut: Path
) -> None:
    running = start(workers=2, deadline=3, grace=0.2)
    until(lambda: running.gauge("facesieve_workers ") == 2)
    stopped = running.workers()
    with ThreadPoolExecutor(2) as clients:
        asked = [clients.submit(running.faces, large) for _ in range(2)]
        until(lambda: running.gauge("facesieve_working") == 2)
        for worker in stopped:
            os.kill(worker.pid, signal.SIGSTOP)
        answers = [each.result() for each in asked]
    assert [(answer.status_code, answer.json()["error"]["code"]) for answer in answers] == [(503, "deadline")] * 2
    until(lambda: running.gauge("facesieve_workers ") == 2 and not {*stopped} & {*running.workers()})
    until(lambda: running.gauge('facesieve_workers_replaced_total{reason="timed_out"}') == 2)
    assert running.gauge("facesieve_workers_replaced_total") == 2
    assert running.faces(astronaut.read_bytes()).status_code == 200
    assert running.stop() == 0


def test_the_metrics_say_which_signal_ended_a_worker(start: Any) -> None:
    running = start(workers=1)
    for number, reason in ((signal.SIGKILL, "killed"), (signal.SIGSEGV, "crashed")):
        [worker] = running.workers()
        os.kill(worker.pid, number)
        until(lambda reason=reason: running.gauge(f'facesieve_workers_replaced_total{{reason="{reason}"}}') == 1)
        until(lambda: running.gauge("facesieve_workers ") == 1)
    assert running.gauge("facesieve_workers_replaced_total") == 2


def test_a_service_whose_folder_is_removed_replaces_its_workers(
    start: Any, astronaut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "release").mkdir()
    monkeypatch.chdir(tmp_path / "release")
    running = start(workers=1, deadline=120)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "release").rmdir()
    [worker] = running.workers()
    worker.kill()
    until(lambda: requests.get(f"{running.url}/readyz", timeout=5).status_code == 503)
    running.wait_ready()
    assert running.faces(astronaut.read_bytes()).status_code == 200


def test_a_request_waits_while_the_only_worker_is_replaced(start: Any, astronaut: Path) -> None:
    running = start(workers=1, deadline=120)
    [worker] = running.workers()
    worker.kill()
    until(lambda: requests.get(f"{running.url}/readyz", timeout=5).status_code == 503)
    assert running.faces(astronaut.read_bytes()).status_code == 200


def replace_both(running: Any) -> None:
    """Kill two workers, and wait for two others."""
    time.sleep(0.5)  # one that lives for less counts as a failed start, and the next one waits
    for worker in running.workers():
        worker.kill()
    until(lambda: running.gauge("facesieve_workers ") == 0)
    until(lambda: running.gauge("facesieve_workers ") == 2, 120)


@pytest.mark.slow
def test_thirty_workers_that_die_leave_no_descriptor_and_no_memory(start: Any) -> None:
    running = start(workers=2)
    front = psutil.Process(running.process.pid)
    until(lambda: running.gauge("facesieve_workers ") == 2)

    for _ in range(3):
        replace_both(running)
    descriptors, memory = front.num_fds(), front.memory_info().rss
    for _ in range(12):
        replace_both(running)
    assert front.num_fds() <= descriptors + 1
    assert front.memory_info().rss - memory < 4 << 20
    assert len(running.workers()) == 2


@pytest.mark.slow
def test_eighteen_pictures_of_39_megapixels_and_all_connections_idle_leave_every_slot(start: Any) -> None:
    data = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (65, 60, 3), np.uint8)
    Image.fromarray(noise).resize((6000, 6500), Image.Resampling.NEAREST).save(data, "JPEG", quality=60)
    running = start(workers=2, deadline=300, before=limited(128, 128))
    until(lambda: running.gauge("facesieve_workers ") == 2)
    with many(running, 200), ThreadPoolExecutor(18) as clients:
        answers = list(clients.map(running.faces, [data.getvalue()] * 18))
        assert [answer.status_code for answer in answers] == [200] * 18
    until(lambda: running.gauge("facesieve_workers ") == 2)
    assert running.gauge("facesieve_held_bytes") == running.gauge("facesieve_working") == 0
    assert requests.get(f"{running.url}/readyz", timeout=5).status_code == 200
    assert running.stop() == 0


def test_a_model_damaged_meanwhile_is_logged_and_not_ready_and_sigterm_exits_with_0(
    start: Any, astronaut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    from facesieve.settings import Settings

    cache = tmp_path / "cache"
    shutil.copytree(Settings.load().cache_dir, cache)
    monkeypatch.setenv("FACESIEVE_CACHE_DIR", str(cache))
    monkeypatch.setenv("FACESIEVE_OFFLINE", "1")
    running = start(workers=2)
    until(lambda: running.gauge("facesieve_workers ") == 2)
    [model] = cache.glob("onet-*")
    good = model.read_bytes()
    model.write_bytes(b"x" + good[1:])
    for worker in running.workers():
        worker.kill()
    until(lambda: running.gauge("facesieve_worker_start_failures_total") >= 3)
    assert requests.get(f"{running.url}/readyz", timeout=5).status_code == 503
    failures = running.events("worker_start_failed", 1)
    assert all("onet" in entry["message"] for entry in failures)
    assert max(entry["again_seconds"] for entry in failures) >= 1, "waits grow"
    assert running.events("no_worker", 1)
    model.write_bytes(good)
    running.wait_ready()
    assert running.faces(astronaut.read_bytes()).status_code == 200
    assert running.stop() == 0


def test_with_no_worker_alive_sigterm_exits_with_0(start: Any) -> None:
    running = start(workers=1, start_timeout=600)
    old = running.workers()[0].pid
    os.kill(old, signal.SIGKILL)
    new: list[int] = []
    until(lambda: new.extend(worker.pid for worker in running.workers() if worker.pid != old) or new)
    os.kill(new[0], signal.SIGSTOP)
    until(lambda: running.gauge("facesieve_workers ") == 0)
    assert running.stop(5) == 0
    until(lambda: not psutil.pid_exists(new[0]) or psutil.Process(new[0]).status() == psutil.STATUS_ZOMBIE)


def test_a_worker_short_of_memory_says_so_and_serves_the_next(start: Any, huge: bytes, astronaut: Path) -> None:
    running = start(workers=1)
    [worker] = running.workers()
    used = worker.memory_info().vms
    resource.prlimit(worker.pid, resource.RLIMIT_AS, (used + 30 * 2**20, resource.RLIM_INFINITY))
    answer = running.faces(huge)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "out_of_memory")
    resource.prlimit(worker.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert running.faces(astronaut.read_bytes()).status_code == 200
    assert running.workers()[0].pid == worker.pid

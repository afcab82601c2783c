"""Standard error and output that are closed, full, or read by nobody: no answer changes, and the service still ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests


def sieve(running: Any) -> int:
    """A request that is logged and needs no worker."""
    return running.post("/v1/sieve", json={"measures": [{"yaw": 1.0}]}).status_code


@pytest.fixture
def unread() -> Iterator[int]:
    """The writing end of a pipe that stays open and is never read."""
    reader, writer = os.pipe()
    yield writer
    os.close(reader)
    os.close(writer)


@pytest.fixture
def gone() -> Iterator[int]:
    """The writing end of a pipe whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@pytest.fixture
def full() -> Iterator[int]:
    """A file on a disk that is full."""
    with Path("/dev/full").open("wb") as file:
        yield file.fileno()


@pytest.mark.parametrize("kind", ["gone", "full", "unread"])
def test_a_log_that_cannot_be_written_changes_no_answer_and_no_exit(
    start: Any, astronaut: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    running = start(stderr=request.getfixturevalue(kind), log_level="debug")
    # A line has some 200 bytes, and a pipe takes 65,536.
    assert {sieve(running) for _ in range(400)} == {200}
    assert {requests.get(f"{running.url}/livez", timeout=3).status_code for _ in range(100)} == {200}
    if kind != "unread":  # where nobody reads, the queue has room for many more
        assert running.gauge("facesieve_log_lines_dropped_total") >= 500
    photo = astronaut.read_bytes()
    with ThreadPoolExecutor(6) as clients:
        asked = [clients.submit(running.faces, photo) for _ in range(6)]
        while not running.gauge("facesieve_working"):
            time.sleep(0.01)
        time.sleep(0.3)
        began = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - began < 15
    assert [answer.result().status_code for answer in asked] == [200] * 6


def test_it_starts_with_stderr_closed_and_answers_and_ends_well(start: Any, astronaut: Path) -> None:
    running = start(before=lambda: os.close(2))
    assert running.faces(astronaut.read_bytes()).json()["faces_total"] == 1
    # Nothing that the service has opened took the place of stderr.
    for process in (running.process.pid, running.workers()[0].pid):
        assert Path(f"/proc/{process}/fd/2").readlink().name in ("null", f"pipe:[{inode_of_pipe(process, 2)}]")
    assert running.stop() == 0


def inode_of_pipe(process: int, descriptor: int) -> int:
    return Path(f"/proc/{process}/fd/{descriptor}").stat().st_ino


@pytest.mark.parametrize("kind", ["gone", "full", "closed"])
def test_it_serves_where_its_address_cannot_be_printed(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    stdout = None if kind == "closed" else request.getfixturevalue(kind)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "facesieve", "serve", "--port", str(port), "--workers", "1"],
            env=os.environ | {"FACESIEVE_SERVICE_TOKENS": "abc"},
            stdout=stdout,
            stderr=log,
            preexec_fn=(lambda: os.close(1)) if kind == "closed" else None,
        )
    try:
        until, status = time.monotonic() + 30, 0
        while status != 200 and time.monotonic() < until:
            try:
                status = requests.get(f"http://127.0.0.1:{port}/readyz", timeout=3).status_code
            except requests.ConnectionError:
                time.sleep(0.05)
        assert status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
    said = (tmp_path / "log").read_text()
    assert "Traceback" not in said and "Exception" not in said


def test_probes_are_logged_at_debug_only(start: Any) -> None:
    for level in ("info", "debug"):
        running = start(log_level=level)
        for path in ("/livez", "/readyz", "/metrics"):
            requests.get(running.url + path, timeout=5)
        assert sieve(running) == 200
        running.stop()
        probes = [entry["route"] for entry in running.events("request") if entry["route"] != "/v1/sieve"]
        assert [probes.count(route) > 0 for route in ("/livez", "/readyz", "/metrics")] == [level == "debug"] * 3
        assert len([entry for entry in running.events("request") if entry["route"] == "/v1/sieve"]) == 1


CHATTY = textwrap.dedent(
    """
    import os, subprocess, sys
    from facesieve.service.log import service_log

    with service_log("json", "info") as log:
        child = "import os; [os.write(2, b'a warning of a decoder\\\\n') for _ in range(50_000)]"
        ended = subprocess.run([sys.executable, "-c", child], timeout=20)
        log.info("ended", status=ended.returncode)
        os.write(2, b"without a line break")
    os.write(1, b"done")
    os.write(2, b"and the sentence of an error\\n")
    """
)


def test_a_worker_that_writes_to_stderr_is_logged_and_never_waits() -> None:
    ended = subprocess.run([sys.executable, "-c", CHATTY], capture_output=True, timeout=60)
    *lines, last = ended.stderr.decode().splitlines()
    events = [json.loads(line) for line in lines]
    assert last == "and the sentence of an error"
    assert events[0].pop("time") and events[0] == {
        "event": "stderr",
        "level": "warning",
        "text": "a warning of a decoder",
    }
    assert [event["status"] for event in events if event["event"] == "ended"] == [0]
    assert sum(event["event"] == "stderr" for event in events) <= 202  # 100 in ten seconds, and the last count
    told = sum(event.get("left_out", 0) for event in events) + sum("text" in event for event in events)
    assert told == 50_001


def test_a_worker_that_writes_to_stderr_goes_on_where_nobody_reads_the_log(unread: int) -> None:
    os.set_blocking(unread, False)
    while True:
        try:
            os.write(unread, b"x" * 4096)
        except BlockingIOError:
            break
    os.set_blocking(unread, True)
    script = CHATTY.replace('os.write(2, b"and the sentence of an error\\n")', "")
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=unread)
    timer = threading.Timer(40, process.kill)
    timer.start()
    assert process.communicate()[0] == b"done"
    timer.cancel()
    assert process.returncode == 0

"""More connections than descriptors, of every idle kind: probes and pictures are answered, and nothing is left."""

from __future__ import annotations

import json
import resource
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from raw import answer_of, head_of, limited, many

NOFILE = resource.RLIMIT_NOFILE
GET = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


def is_open(connection: socket.socket) -> bool:
    """Whether the service has left a connection open on which no answer is due."""
    connection.settimeout(0.3)
    try:
        return connection.recv(1) != b""
    except TimeoutError:
        return True
    except ConnectionError:
        return False


def live(running: Any) -> int:
    return requests.get(f"{running.url}/livez", timeout=3).status_code


def descriptors(running: Any) -> int:
    return psutil.Process(running.process.pid).num_fds()


def wait_for(true: Callable[[], bool]) -> None:
    until = time.monotonic() + 15
    while not true():
        assert time.monotonic() < until
        time.sleep(0.05)


KINDS = {
    "nothing": b"",
    "half a head": GET[:20],
    "one request": GET,
    "a refused body": b"POST /v1/faces HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n",
    "an unknown route": b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n",
}


@pytest.mark.parametrize("first", KINDS.values(), ids=KINDS)
def test_more_idle_connections_than_descriptors_harm_nobody(start: Any, astronaut: Path, first: bytes) -> None:
    running = start(before=limited(64, 64), workers=1, header_timeout=60, deadline=30)
    process, photo = psutil.Process(running.process.pid), astronaut.read_bytes()
    before = descriptors(running)
    with many(running, 300, first):
        log, cpu, began = running.log_file.stat().st_size, sum(process.cpu_times()[:2]), time.monotonic()
        while time.monotonic() - began < 1:
            assert live(running) == 200
            time.sleep(0.1)
        assert sum(process.cpu_times()[:2]) - cpu < 0.5
        assert running.log_file.stat().st_size - log < 300 * 300  # a line for a refused request, none for a connection
        assert running.faces(photo).status_code == 200
        # There are descriptors for a new worker too.
        for worker in running.workers():
            worker.kill()
        wait_for(lambda: running.faces(photo).status_code == 200)
        assert descriptors(running) < 64
        assert running.gauge("facesieve_connections_closed_idle_total") >= 250
        assert running.gauge("facesieve_accept_failures_total") == 0
    wait_for(lambda: descriptors(running) <= before + 4)
    wait_for(lambda: running.gauge("facesieve_connections ") <= 2)
    # Each refused request has its line; the connections themselves have one in ten seconds.
    assert len(running.events("idle_connections_closed")) <= 5


def test_a_connection_that_is_in_use_is_never_closed_and_the_longest_idle_is_first(start: Any, astronaut: Path) -> None:
    running, photo = start(max_connections=4), astronaut.read_bytes()
    head = head_of("/v1/faces", f"Content-Length: {len(photo)}")
    with many(running, 3) as idle, many(running, 1, head + photo[:1000]) as [used]:
        idle[0].sendall(GET)
        assert answer_of(idle[0])[0] == 200
        # The answer of the first makes the second the longest idle one.
        with many(running, 1, GET) as [another]:
            assert answer_of(another)[0] == 200
            assert [is_open(connection) for connection in idle] == [True, False, True]
        used.sendall(photo[1000:])
        assert answer_of(used)[0] == 200


def test_where_all_connections_are_in_use_a_new_one_is_told_so(start: Any) -> None:
    running = start(max_connections=5)
    with many(running, 5, head_of("/v1/faces", "Content-Length: 1000")):
        time.sleep(0.3)
        for _ in range(3):
            answer = requests.get(f"{running.url}/livez", timeout=3)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "too_many_connections")
            assert answer.headers["Retry-After"] == "1" and answer.json()["request_id"]
    wait_for(lambda: live(running) == 200)
    assert running.gauge("facesieve_connections_refused_total") >= 3
    assert [event["client"] for event in running.events("connection_refused", 1)] == ["127.0.0.1"]


def test_one_address_cannot_close_the_connections_of_another(start: Any) -> None:
    running = start(max_connections=100, max_connections_per_address=5)
    with many(running, 3, source="127.0.0.2") as others, many(running, 50, source="127.0.0.3"):
        assert [is_open(connection) for connection in others] == [True] * 3
        assert running.gauge("facesieve_connections ") <= 3 + 5 + 1
        assert live(running) == 200


def test_when_the_system_has_no_descriptor_it_waits_without_working(start: Any) -> None:
    """No cap helps where others use the descriptors up: here the limit itself is lowered."""
    running = start(workers=1)
    process = psutil.Process(running.process.pid)
    before = resource.prlimit(running.process.pid, NOFILE)
    resource.prlimit(running.process.pid, NOFILE, (descriptors(running), before[1]))
    with many(running, 20):
        time.sleep(0.3)
        log, cpu = running.log_file.stat().st_size, sum(process.cpu_times()[:2])
        time.sleep(1)
        assert sum(process.cpu_times()[:2]) - cpu < 0.3
        assert running.log_file.stat().st_size - log < 2_000
        resource.prlimit(running.process.pid, NOFILE, before)
        wait_for(lambda: live(running) == 200)
    assert running.gauge("facesieve_accept_failures_total") > 0
    assert [event["error"] for event in running.events("accept_failed", 1)] == ["Too many open files"]
    assert running.stop() == 0


def test_a_service_that_has_no_descriptor_still_stops(start: Any) -> None:
    running = start(workers=1)
    resource.prlimit(running.process.pid, NOFILE, (descriptors(running),) * 2)
    with many(running, 5):
        time.sleep(0.3)
        assert running.stop() == 0


@pytest.mark.parametrize(("hard", "expected"), [(20_000, 4096 + 24 + 6), (1000, 1000)])
def test_the_soft_limit_is_raised_to_what_the_connections_need(start: Any, hard: int, expected: int) -> None:
    running = start(before=limited(256, hard), workers=1, ready=False)
    assert resource.prlimit(running.process.pid, NOFILE)[0] == expected


def test_more_connections_than_the_limit_allows_are_not_promised(start: Any) -> None:
    running = start(before=limited(64, 64), workers=1, max_connections=1000, ready=False)
    [event] = running.events("max_connections", 1)
    assert (event["wanted"], event["allowed"]) == (1000, 64 - 24 - 6)


def test_connections_of_one_ipv6_network_count_as_one_client() -> None:
    from facesieve.service.client import network_of

    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:2") == "2001:db8::/64"
    assert network_of("::ffff:192.0.2.1") == network_of("192.0.2.1") == "192.0.2.1"
    assert network_of("a unix socket") == ""


def test_the_refusal_has_the_shape_of_every_other(start: Any) -> None:
    running = start(max_connections=1)
    with many(running, 1, head_of("/v1/sieve", "Content-Length: 1000")):
        time.sleep(0.2)
        with socket.create_connection(("127.0.0.1", running.port), timeout=5) as connection:
            data = b""
            while part := connection.recv(4096):
                data += part
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ") and f"Content-Length: {len(body)}".encode() in head
    assert set(json.loads(body)) == {"error", "request_id"}

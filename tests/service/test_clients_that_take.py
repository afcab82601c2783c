"""Clients that do not read, hold memory, or ask without pause: the others are served, and everything returns."""

from __future__ import annotations

import contextlib
import hashlib
import io
import socket
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image
from raw import head_of
from running import until

BOUNDARY = "frontier"
MIB = 1 << 20


def form(*images: bytes, padding: int = 0) -> bytes:
    """A form of images, and one more field of so many bytes."""
    parts = [("image", image) for image in images] + ([("padding", bytes(padding))] if padding else [])
    head = '--{}\r\nContent-Disposition: form-data; name="{}"; filename="x"\r\n\r\n'
    body = b"".join(head.format(BOUNDARY, name).encode() + data + b"\r\n" for name, data in parts)
    return body + f"--{BOUNDARY}--\r\n".encode()


def silent(port: int, path: str, body: bytes, token: str | None = None, address: str = "127.0.0.1") -> socket.socket:
    """Ask, and never read the answer."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(60)
    client.bind((address, 0))
    client.connect(("127.0.0.1", port))
    type_ = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"
    client.sendall(head_of(path, f"Content-Length: {len(body)}", type_) + body)
    return client


def test_answers_that_nobody_reads_are_given_up_and_their_memory_returns(start: Any, large: bytes) -> None:
    running = start(workers=2, write_timeout=2, deadline=300)
    front = psutil.Process(running.process.pid)
    many = (large, large, large)
    assert len(running.upload(*many, path="/uploads").content) > 8 * MIB, "more than the kernel's buffers hold"
    descriptors = front.num_fds()
    clients = [silent(running.port, "/uploads", form(*many)) for _ in range(3)]
    until(lambda: running.gauge("facesieve_unread_answers_total") == 3, 120)
    until(lambda: running.gauge("facesieve_held_bytes") == 0)
    until(lambda: front.num_fds() <= descriptors + 1)
    until(lambda: len([entry for entry in running.events("request") if entry["code"] == "unread"]) == 3)
    assert running.upload(large).status_code == 200
    for client in clients:
        client.close()


def test_a_client_that_does_not_read_holds_no_more_than_the_limit_and_keeps_nobody_out(
    start: Any, large: bytes, astronaut: Path
) -> None:
    """Eight answers of 3 MB each come to one client, which reads none; 12 MB may be held of bodies, and of answers."""
    limits = {"max_held_bytes": 12 * MIB, "max_request_bytes": 9 * MIB, "max_image_bytes": 9 * MIB}
    running = start(workers=2, write_timeout=60, deadline=300, **limits)
    clients = [silent(running.port, "/upload", form(large), address="127.0.0.2") for _ in range(8)]
    until(lambda: not running.gauge("facesieve_working") and not running.gauge("facesieve_waiting"), 120)
    assert running.gauge("facesieve_held_bytes") <= 12 * MIB
    assert running.gauge("facesieve_unread_answers_total") + running.gauge("facesieve_requests_total{") > 0
    assert running.faces(astronaut.read_bytes()).status_code == 200
    for client in clients:
        client.close()
    until(lambda: running.gauge("facesieve_held_bytes") == 0)


def test_forms_of_clients_that_do_not_read_are_released_when_the_workers_have_the_pictures(
    start: Any, medium: bytes, astronaut: Path
) -> None:
    running = start(workers=1, write_timeout=60, max_held_bytes=48 * MIB, max_request_bytes=32 * MIB, deadline=30)
    body = form(medium, padding=10 * MIB)
    clients = []
    for _ in range(6):
        clients.append(silent(running.port, "/uploads", body))
        until(lambda: not running.gauge("facesieve_working") and not running.gauge("facesieve_waiting"))
    until(lambda: running.gauge("facesieve_held_bytes") < 16 * MIB)
    assert running.faces(astronaut.read_bytes()).status_code == 200
    for client in clients:
        client.close()


@pytest.fixture(scope="module")
def small(astronaut: Path) -> bytes:
    """A photo that is done soon, so that the places in the queue change hands often."""
    data = io.BytesIO()
    Image.open(astronaut).convert("RGB").resize((160, 160)).save(data, "JPEG")
    return data.getvalue()


def polite_under_flood(running: Any, photo: bytes, polite: Any) -> Counter[int]:
    """What a client gets that asks ten times, now and then, while forty others ask without pause."""
    ended = threading.Event()

    def flood() -> None:
        while not ended.is_set():
            running.faces(photo)

    threads = [threading.Thread(target=flood) for _ in range(40)]
    for thread in threads:
        thread.start()
    until(lambda: running.gauge("facesieve_waiting") >= 8)
    got: Counter[int] = Counter()
    for _ in range(10):
        got[polite()] += 1
        time.sleep(0.05)
    ended.set()
    for thread in threads:
        thread.join()
    return got


def status_from(port: int, photo: bytes, token: str, address: str) -> int:
    """The status of one picture, asked for with this token from this address."""
    with socket.socket() as client:
        client.settimeout(60)
        client.bind((address, 0))
        client.connect(("127.0.0.1", port))
        head = f"POST /v1/faces HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nContent-Length: {len(photo)}\r\n\r\n"
        client.sendall(head.encode() + photo)
        return int(client.recv(1 << 16).split()[1])


@pytest.mark.parametrize(("token", "address"), [("another-token", "127.0.0.1"), ("a-token-for-tests", "127.0.0.2")])
def test_a_polite_client_is_served_always_while_forty_flood(start: Any, small: bytes, token: str, address: str) -> None:
    running = start(workers=2, waiting=8, deadline=60, tokens=["a-token-for-tests", "another-token"])
    got = polite_under_flood(running, small, lambda: status_from(running.port, small, token, address))
    assert got == {200: 10}


def test_with_default_settings_forty_clients_of_one_token_and_address_are_all_served(start: Any, small: bytes) -> None:
    running = start(workers=2)
    assert polite_under_flood(running, small, lambda: running.faces(small).status_code) == {200: 10}


def photos(astronaut: Path, side: int, count: int) -> list[bytes]:
    """A portrait this many times, each with other bytes after the end of the picture."""
    data = io.BytesIO()
    Image.open(astronaut).convert("RGB").resize((side, side)).save(data, "JPEG", quality=40)
    return [data.getvalue() + b"%d" % number for number in range(count)]


def test_what_is_done_by_the_deadline_is_answered_and_the_rest_are_entries(start: Any, astronaut: Path) -> None:
    running = start(workers=2, deadline=2)
    images = photos(astronaut, 2500, 60)
    began = time.monotonic()
    answer = running.upload(*images, path="/uploads")
    assert (answer.status_code, time.monotonic() - began < 4) == (200, True)
    entries = answer.json()
    codes = [entry["error"]["code"] if "error" in entry else "" for entry in entries]
    assert len(entries) == 60
    done = codes.count("")
    assert 0 < done < 60
    assert set(codes[done + 2 :]) == {"deadline"}, "pictures are done in order, two at a time"
    ids = [hashlib.sha256(image).hexdigest()[:32] for image in images]
    assert all(entry["image_id"] == ids[place] for place, entry in enumerate(entries) if "error" not in entry)


def test_pictures_of_one_request_use_all_workers(start: Any, astronaut: Path) -> None:
    running = start(workers=2, deadline=60)
    body = photos(astronaut, 1500, 6)
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(running.upload(*body, path="/uploads")))
    thread.start()
    until(lambda: running.gauge("facesieve_working") == 2)
    thread.join()
    assert [("error" in entry) for entry in answers[0].json()] == [False] * 6


def test_a_client_of_uploads_at_work_does_not_keep_out_another(start: Any, astronaut: Path) -> None:
    running = start(workers=1, waiting=1, deadline=60, tokens=["a-token-for-tests", "another-token"])
    many = photos(astronaut, 1500, 5)
    threads = [threading.Thread(target=running.upload, args=many, kwargs={"path": "/uploads"}) for _ in range(2)]
    for thread in threads:
        thread.start()
    until(lambda: running.gauge("facesieve_working") == 1 and running.gauge("facesieve_waiting") == 1)
    assert status_from(running.port, astronaut.read_bytes(), "another-token", "127.0.0.1") == 200
    for thread in threads:
        thread.join()


def test_refusals_that_nobody_reads_are_given_up_too(start: Any) -> None:
    running = start(workers=1, write_timeout=2)
    front = psutil.Process(running.process.pid)
    descriptors = front.num_fds()
    clients = []
    for _ in range(3):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", running.port))
        client.setblocking(False)
        request, sent = b"POST /v1/faces HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n" * 1000, 0
        with contextlib.suppress(BlockingIOError):
            while sent < 20 * MIB:
                sent += client.send(request)
        clients.append(client)
    until(lambda: running.gauge("facesieve_unread_answers_total") >= 3)
    until(lambda: front.num_fds() <= descriptors + 1)
    assert running.stop(10) == 0, "what nobody reads does not take the time to drain"
    for client in clients:
        client.close()

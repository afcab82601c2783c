"""What is too much is refused in words that the client receives, also while it is still sending."""

from __future__ import annotations

import io
import socket
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pillow_heif
import psutil
import pytest
from PIL import Image
from raw import answer_of, head_of

MIB = 1 << 20


def fixed(path: str, size: int) -> Iterator[bytes]:
    yield head_of(path, "Content-Type: multipart/form-data; boundary=b", f"Content-Length: {size}")
    for _ in range(size // MIB):
        yield bytes(MIB)


def chunked(path: str, size: int, kind: str = "multipart/form-data; boundary=b") -> Iterator[bytes]:
    yield head_of(path, f"Content-Type: {kind}", "Transfer-Encoding: chunked")
    for _ in range(size // MIB):
        yield f"{MIB:x}\r\n".encode() + bytes(MIB) + b"\r\n"
    yield b"0\r\n\r\n"


def exchange(port: int, parts: Iterator[bytes]) -> tuple[int, dict[str, Any]]:
    """Send everything, as simple clients do, and only then read: status and JSON of the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        for part in parts:
            connection.sendall(part)
        return answer_of(connection)


def png_that_says(width: int, height: int) -> bytes:
    """A PNG of nothing but a header: what it says must be enough."""
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


@pytest.mark.parametrize("send", [fixed, chunked])
@pytest.mark.parametrize(("path", "size"), [("/upload", 12 * MIB), ("/v1/faces", 12 * MIB), ("/uploads", 66 * MIB)])
def test_a_body_that_is_too_large_is_refused_in_our_words(service: Any, send: Any, path: str, size: int) -> None:
    for _ in range(3):
        status, body = exchange(service.port, send(path, size))
        assert (status, body["error"]["code"]) == (413, "request_too_large")
    assert service.gauge("facesieve_held_bytes") == 0


def test_the_excess_is_not_held_while_it_arrives(service: Any) -> None:
    """Of 64 MiB more than the limit not one, by the service's own books and by the system's."""
    process = psutil.Process(service.process.pid)
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        parts = chunked("/uploads", 140 * MIB)
        for _ in range(66):
            connection.sendall(next(parts))
        assert answer_of(connection)[0] == 413
        before = process.memory_info().rss
        for _ in range(64):
            connection.sendall(next(parts))
            assert process.memory_info().rss <= before + MIB
        assert service.gauge("facesieve_held_bytes") == 0


@pytest.mark.slow
@pytest.mark.parametrize("send", [fixed, chunked])
def test_the_refusal_is_received_two_hundred_times_of_two_hundred(service: Any, send: Any) -> None:
    answers = [exchange(service.port, send("/upload", 12 * MIB)) for _ in range(200)]
    assert {(status, body["error"]["code"]) for status, body in answers} == {(413, "request_too_large")}


def test_the_connection_goes_on_after_the_refusal(service: Any) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        for part in fixed("/upload", 12 * MIB):
            connection.sendall(part)
        assert answer_of(connection)[0] == 413
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer_of(connection) == (200, {"status": "live"})


def test_a_client_that_asks_first_is_refused_before_it_sends(service: Any) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        connection.sendall(head_of("/upload", f"Content-Length: {12 * MIB}", "Expect: 100-continue"))
        assert answer_of(connection)[0] == 413
        connection.shutdown(socket.SHUT_WR)  # a service that waits for the body waits no longer
        assert connection.recv(1) == b""


def test_an_image_of_exactly_the_limit_is_read_and_one_byte_more_is_not(service: Any, astronaut: Path) -> None:
    photo = io.BytesIO()
    Image.open(astronaut).save(photo, "JPEG")
    full = photo.getvalue().ljust(10 * MIB, b"\0")
    faces = service.upload(photo.getvalue()).json()["face_total"]
    assert faces > 0
    assert service.upload(full).json()["face_total"] == faces
    for answer in (service.upload(full + b"\0"), service.faces(full + b"\0")):
        assert answer.status_code == 413
    entries = service.upload(full, full + b"\0", path="/uploads").json()
    assert entries[0]["face_total"] == faces and entries[1]["error"]["code"] == "too_many_bytes"


@pytest.mark.parametrize(
    ("size", "code"),
    [((8000, 5001), "too_many_pixels"), ((16_385, 1), "too_long_side"), ((12_000, 12_000), "too_many_pixels")],
)
def test_a_picture_that_says_it_is_too_large_is_refused_at_once(service: Any, size: tuple[int, int], code: str) -> None:
    data = png_that_says(*size)
    worked = service.gauge("facesieve_work_seconds_count")
    seconds = []
    for _ in range(20):
        started = time.perf_counter()
        answer = service.faces(data)
        seconds.append(time.perf_counter() - started)
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, code)
    # The best of them: what others do on this machine is not the service's.
    assert min(seconds) < 0.05
    assert service.gauge("facesieve_work_seconds_count") == worked


def test_formats_that_are_not_set_reach_no_decoder(service: Any, narrow: Any, astronaut: Path) -> None:
    made = {}
    pillow_heif.register_heif_opener()
    for format in ("GIF", "BMP", "TIFF", "AVIF", "HEIF"):
        data = io.BytesIO()
        Image.open(astronaut).convert("RGB").save(data, format)
        made[format] = data.getvalue()
        answer = service.faces(data.getvalue())
        assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_format")
    assert [narrow.faces(made[format]).json()["faces_total"] for format in ("AVIF", "HEIF")] == [1, 1]
    assert narrow.faces(astronaut.read_bytes()).status_code == 415


def test_more_images_than_max_images_are_refused(narrow: Any) -> None:
    assert narrow.upload(*[b"x"] * 3, path="/uploads").status_code == 200
    for count in (4, 150):
        answer = narrow.upload(*[b"x"] * count, path="/uploads")
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_many_images")


def test_bodies_held_by_all_requests_together_are_bounded(narrow: Any) -> None:
    held = [socket.create_connection(("127.0.0.1", narrow.port), timeout=20) for _ in range(2)]
    held[0].sendall(head_of("/v1/faces", f"Content-Length: {3 * MIB}") + bytes(3 * MIB - 1))
    until = time.monotonic() + 10
    while narrow.gauge("facesieve_held_bytes") < 3 * MIB - 1 and time.monotonic() < until:
        time.sleep(0.02)
    status, body = exchange(narrow.port, chunked("/v1/faces", 2 * MIB, "image/jpeg"))
    assert (status, body["error"]["code"]) == (429, "busy")
    for connection in held:
        connection.close()
    until = time.monotonic() + 10
    while narrow.gauge("facesieve_held_bytes") and time.monotonic() < until:
        time.sleep(0.02)
    assert narrow.gauge("facesieve_held_bytes") == 0

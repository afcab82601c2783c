"""What is not quite HTTP gets an answer in our words, and what is quite legal is taken."""

from __future__ import annotations

import inspect
import socket
import time
from pathlib import Path
from typing import Any

import pytest
import requests
from raw import TOKEN_LINE, Answer, answers_of, exchange, logged, post, read_all
from tornado import httputil
from tornado.iostream import IOStream

LIVE = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


def head(*lines: str, path: str = "/v1/faces") -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: x", *lines]).encode("latin-1") + b"\r\n" + TOKEN_LINE + b"\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(
            b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", id="5000 digits"
        ),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: x:" + b"9" * 5000 + b"\r\n\r\n", id="a port of 5000 digits"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", id="negative length"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello", id="a sign"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 0x5\r\n\r\nhello", id="hexadecimal length"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n", id="empty length"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: \xb2\r\n\r\n", id="superscript two"),
        pytest.param(
            b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello", id="two lengths"
        ),
        pytest.param(
            b"POST /upload HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            id="length and chunks",
        ),
        pytest.param(b"POST /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", id="other transfer"),
        pytest.param(b"POST /upload HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", id="chunks in 1.0"),
        pytest.param(b"GET /livez HTTP/1.1\r\n\r\n", id="no host"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", id="two hosts"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: a b<>\r\n\r\n", id="odd host"),
        pytest.param(b"GET /livez\r\n\r\n", id="HTTP/0.9"),
        pytest.param(b"GET  /livez HTTP/1.1\r\nHost: x\r\n\r\n", id="two spaces"),
        pytest.param(b"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", id="a space in the path"),
        pytest.param(b"GET /livez HTTP/2.0\r\nHost: x\r\n\r\n", id="HTTP/2.0"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", id="preface of HTTP/2"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", id="no colon"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: x\r\nA: b\r\n folded\r\n\r\n", id="folded"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n", id="space before colon"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n", id="NUL"),
        pytest.param(b"GET /livez HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", id="lone CR"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", id="TLS"),
        pytest.param(b"\0\0\0\0", id="zeros"),
    ],
)
def test_what_is_no_request_is_400_in_our_words_counted_and_logged_once(service: Any, sent: bytes) -> None:
    counted = counted_refusals(service)
    [answer] = exchange(service.port, sent)
    assert (answer.status, answer.code) == (400, "bad_request")
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert answer.json()["error"]["message"] and answer.headers["connection"] == "close"
    assert counted_refusals(service) == counted + 1
    lines = logged(service, answer.headers["x-request-id"])
    assert [(entry["status"], entry["code"], entry["client"]) for entry in lines] == [(400, "bad_request", "127.0.0.1")]
    assert not service.events("tornado") and not service.events("failure")


def counted_refusals(service: Any) -> float:
    return sum(
        float(line.split()[-1])
        for line in requests.get(f"{service.url}/metrics", timeout=5).text.splitlines()
        if line.startswith("facesieve_requests_total{") and 'code="bad_request"' in line
    )


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /livez HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 40_000 + b"\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 120 + b"\r\n",
        b"GET /" + b"a" * 3_000_000,
    ],
)
def test_headers_that_are_too_large_are_431_also_to_a_client_that_sends_on(service: Any, sent: bytes) -> None:
    [answer] = exchange(service.port, sent)
    assert (answer.status, answer.code) == (431, "headers_too_large")


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\nhello\r\n0\r\n\r\n",
        b"-5\r\nhello\r\n0\r\n\r\n",
        b"\r\nhello",
        b"5\nhello\n0\n\n",
        b"5\r\nhello, world\r\n0\r\n\r\n",
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"5 5\r\nhello\r\n0\r\n\r\n",
        b"f" * 30 + b"\r\n",
        b"f" * 10_000,
        b"5;" + b"a" * 10_000 + b"\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\nno colon\r\n\r\n",
        b"5\r\nhello\r\n0\r\n" + b"A: b\r\n" * 3000 + b"\r\n",
    ],
)
def test_malformed_chunks_are_400_in_our_words_and_the_books_are_closed(service: Any, body: bytes) -> None:
    [answer] = exchange(service.port, head("Transfer-Encoding: chunked") + body)
    assert (answer.status, answer.code, answer.headers["connection"]) == (400, "bad_request", "close")
    lines = logged(service, answer.headers["x-request-id"])
    assert [(entry["route"], entry["status"]) for entry in lines] == [("/v1/faces", 400)]
    assert service.gauge("facesieve_held_bytes") == 0


def test_a_refused_body_that_is_malformed_after_the_refusal_is_refused_once(service: Any) -> None:
    sent = b"POST /upload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    [answer] = exchange(service.port, sent + b"zz\r\n")
    assert (answer.status, answer.code) == (401, "unauthorized")


def chunked(data: bytes, extension: bytes = b"", trailers: bytes = b"", size: int = 1000) -> bytes:
    pieces = [data[place : place + size] for place in range(0, len(data), size)]
    written = b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in pieces)
    return written + b"0" + extension + b"\r\n" + trailers + b"\r\n"


@pytest.mark.parametrize("extension", [b"", b";a", b";a=b", b'; a="quoted; b"', b"  ;a"])
@pytest.mark.parametrize("trailers", [b"", b"X-Checksum: 1\r\nExpires: now\r\n"])
@pytest.mark.parametrize("size", [1000, 1])
def test_extensions_of_chunks_and_trailers_are_taken(
    service: Any, astronaut: Path, extension: bytes, trailers: bytes, size: int
) -> None:
    body = chunked(astronaut.read_bytes()[:20_000], extension, trailers, size)
    sent = (
        head("Transfer-Encoding: Chunked", path="/v1/faces?crops=none")
        + body
        + LIVE.replace(b"x\r", b"x\r\nConnection: close\r")
    )
    picture, live = exchange(service.port, sent)
    assert (picture.status, picture.code) == (422, "truncated")
    assert live.json() == {"status": "live"}


def test_a_whole_picture_in_chunks_is_read(service: Any, astronaut: Path) -> None:
    data = astronaut.read_bytes()
    [answer] = exchange(service.port, head("Transfer-Encoding: chunked", "Connection: close") + chunked(data, b";a=b"))
    assert answer.json()["picture_id"] == service.faces(data).json()["picture_id"]


def test_requests_sent_together_are_answered_in_their_order(service: Any, astronaut: Path) -> None:
    data = astronaut.read_bytes()
    sent = [LIVE, head(f"Content-Length: {len(data)}") + data, b"GET /none HTTP/1.1\r\nHost: x\r\n\r\n\r\n", LIVE]
    last = LIVE.replace(b"x\r", b"x\r\nConnection: close\r")
    answers = exchange(service.port, b"".join(sent) + last)
    assert [answer.status for answer in answers] == [200, 200, 404, 200, 200]
    assert answers[1].json()["faces_total"] == 1


def test_a_request_that_arrives_byte_by_byte_is_answered(service: Any) -> None:
    sent = post("/v1/sieve", b'{"measures": [{"blur": 3}]}')
    [answer] = exchange(service.port, *(sent[place : place + 1] for place in range(len(sent))))
    assert answer.json()["total"] == 1


@pytest.mark.parametrize(
    ("sent", "closes"),
    [
        (b"GET /livez HTTP/1.0\r\n\r\n", True),
        (b"GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", False),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: TE, close\r\n\r\n", True),
        (LIVE, False),
        (b"\r\n\r\n" + LIVE, False),
        (b"GET http://elsewhere/livez HTTP/1.1\r\nHost: x\r\n\r\n", False),
        (b"GET /livez HTTP/1.1\nHost: x\n\n", False),
        (b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 0, 0\r\n\r\n", False),
    ],
)
def test_old_and_unusual_forms_are_taken(service: Any, sent: bytes, closes: bool) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=5) as connection:
        connection.sendall(sent)
        data = connection.recv(65536)
        [answer] = answers_of(data)
        assert answer.json() == {"status": "live"}
        assert (answer.headers.get("connection") == "close") is closes
        if closes:
            assert connection.recv(1) == b""
        else:
            connection.sendall(LIVE)
            assert answers_of(connection.recv(65536))[0].status == 200


def test_a_head_answer_has_no_body_and_the_connection_goes_on(service: Any) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=5) as connection:
        connection.sendall(b"HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(65536).endswith(b"\r\n\r\n")
        connection.sendall(LIVE)
        assert answers_of(connection.recv(65536))[0].json() == {"status": "live"}


def test_a_client_that_asks_first_is_told_to_go_on(service: Any, astronaut: Path) -> None:
    data = astronaut.read_bytes()
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        connection.sendall(head(f"Content-Length: {len(data)}", "Expect: 100-Continue", "Connection: close"))
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(data)
        [answer] = answers_of(read_all(connection))
        assert answer.json()["faces_total"] == 1


@pytest.mark.parametrize("path", ["/upload/", "/v1/face", "/predict", "/v1/faces/", "/a%ffb", "//upload", "/UPLOAD"])
def test_a_path_that_is_no_route_is_404_whatever_the_body(service: Any, path: str) -> None:
    for size, lines in ((3_000_000, ()), (0, ()), (10, ("Content-Encoding: br",))):
        [answer] = exchange(service.port, post(path, bytes(size), *lines))
        assert (answer.status, answer.code) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/upload", "POST"),
        ("GET", "/v1/faces", "POST"),
        ("PROPFIND", "/upload", "POST"),
        ("POST", "/livez", "GET, HEAD"),
        ("DELETE", "/readyz", "GET, HEAD"),
        ("OPTIONS", "/upload", "POST"),
        ("BREW", "/", "GET, HEAD"),
    ],
)
def test_a_method_that_a_route_does_not_take_is_405_whatever_the_body(
    service: Any, method: str, path: str, allow: str
) -> None:
    sent = post(path, bytes(3_000_000)).replace(b"POST", method.encode(), 1)
    [answer] = exchange(service.port, sent)
    assert (answer.status, answer.code, answer.headers["allow"]) == (405, "method_not_allowed", allow)
    [answer] = exchange(service.port, sent.replace(path.encode(), b"/nowhere", 1))
    assert (answer.status, answer.code) == (404, "not_found")


def test_a_client_that_sends_on_after_an_early_answer_receives_it_and_the_next(service: Any) -> None:
    sent = post("/nowhere", bytes(2_000_000)).replace(b"Connection: close\r\n", b"")
    answers = exchange(service.port, sent, LIVE.replace(b"x\r", b"x\r\nConnection: close\r"))
    assert [answer.status for answer in answers] == [404, 200]


def test_hundreds_of_refused_connections_leave_no_descriptor(service: Any) -> None:
    import psutil

    process = psutil.Process(service.process.pid)
    before = process.num_fds()
    for _ in range(200):
        [answer] = exchange(service.port, b"nonsense\r\n\r\n")
        assert answer.status == 400
    until = time.monotonic() + 10
    while process.num_fds() > before and time.monotonic() < until:
        time.sleep(0.05)
    assert process.num_fds() <= before


def test_tornado_still_has_the_parts_that_the_reader_stands_on() -> None:
    """All of them are public; a Tornado that changes one is seen here and not in production."""
    assert list(inspect.signature(httputil.HTTPServerConnectionDelegate.start_request).parameters) == [
        "self",
        "server_conn",
        "request_conn",
    ]
    for name in ("headers_received", "data_received", "finish", "on_connection_close"):
        assert callable(getattr(httputil.HTTPMessageDelegate, name))
    for name in ("write_headers", "write", "finish"):
        assert callable(getattr(httputil.HTTPConnection, name))
    assert "partial" in inspect.signature(IOStream.read_bytes).parameters
    line = httputil.parse_request_start_line("GET /a HTTP/1.1")
    assert (line.method, line.path, line.version) == ("GET", "/a", "HTTP/1.1")
    assert dict(httputil.HTTPHeaders.parse("A: b\r\nC: d\r\n")) == {"A": "b", "C": "d"}


def test_an_answer_is_read_back_as_it_was_sent() -> None:
    """The helper of these tests sees an answer too many."""
    one = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"
    assert answers_of(one * 2) == [Answer(200, {"content-length": "2"}, b"ab")] * 2
    with pytest.raises(AssertionError):
        answers_of(one + b"x")

"""Sends bytes over a socket, and reads the answers."""

from __future__ import annotations

import contextlib
import json
import resource
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

TOKEN_LINE = b"Authorization: a-token-for-tests\r\n"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        return str(self.json()["error"]["code"]) if self.status >= 400 else ""

    def json(self) -> Any:
        return json.loads(self.body)


def exchange(port: int, *sent: bytes, seconds: float = 20, half_close: bool = False) -> list[Answer]:
    """Send bytes, and read answers until the service closes. `half_close`: close for writing after the last byte."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        for piece in sent:
            connection.sendall(piece)
        if half_close:
            connection.shutdown(socket.SHUT_WR)
        return answers_of(read_all(connection))


def read_all(connection: socket.socket) -> bytes:
    data = b""
    while piece := connection.recv(65536):
        data += piece
    return data


def answers_of(data: bytes) -> list[Answer]:
    """Split bytes into answers with a Content-Length. Bytes that belong to no answer are an error."""
    answers = []
    while data:
        head, blank, rest = data.partition(b"\r\n\r\n")
        assert blank, data[:200]
        start, *lines = head.decode("latin-1").split("\r\n")
        assert start.startswith("HTTP/1.1 "), start
        status = int(start.split()[1])
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        size = 0 if status in (100, 204) else int(headers["content-length"])
        assert len(rest) >= size, data[:200]
        answers.append(Answer(status, headers, rest[:size]))
        data = rest[size:]
    return answers


def head_of(path: str, *lines: str) -> bytes:
    """Request line and headers of a POST with a token."""
    return "\r\n".join(
        [f"POST {path} HTTP/1.1", "Host: x", "Authorization: a-token-for-tests", *lines, "", ""]
    ).encode()


def answer_of(connection: socket.socket) -> tuple[int, dict[str, Any]]:
    """Read one answer from an open connection: its status and JSON."""
    data = b""
    while b"\r\n\r\n" not in data:
        received = connection.recv(65536)
        assert received, "closed without an answer"
        data += received
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
    )
    while len(body) < length:
        body += connection.recv(65536)
    return int(head.split()[1]), json.loads(body)


def post(path: str, body: bytes, *lines: str) -> bytes:
    """The bytes of a request after which the connection closes."""
    head = [f"POST {path} HTTP/1.1", "Host: x", "Connection: close", f"Content-Length: {len(body)}", *lines]
    return "\r\n".join(head).encode("latin-1") + b"\r\n" + TOKEN_LINE + b"\r\n" + body


def form(*parts: tuple[bytes, bytes], boundary: bytes = b"BB") -> bytes:
    """The body of a form. parts: headers and content of each part."""
    written = [b"--%b\r\n%b\r\n\r\n%b\r\n" % (boundary, headers, content) for headers, content in parts]
    return b"".join(written) + b"--%b--\r\n" % boundary


def file_part(content: bytes, headers: bytes = b"") -> tuple[bytes, bytes]:
    return b'Content-Disposition: form-data; name="image"; filename="a.jpg"' + headers, content


def post_form(path: str, body: bytes, boundary: str = "BB") -> bytes:
    return post(path, body, f"Content-Type: multipart/form-data; boundary={boundary}")


def logged(service: Any, request_id: str) -> list[dict[str, Any]]:
    """The lines of the log about a request. Waits for the first, which may come after the answer."""
    until = time.monotonic() + 5
    while True:
        lines = [line for line in service.events("request") if line["request_id"] == request_id]
        if lines or time.monotonic() > until:
            return lines
        time.sleep(0.02)


def limited(soft: int, hard: int) -> Callable[[], None]:
    """A function that limits the open descriptors of the process in which it is called."""
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextlib.contextmanager
def many(running: Any, count: int, first: bytes = b"", source: str = "") -> Iterator[list[socket.socket]]:
    """Open connections that have sent `first`. They stay open until the block ends."""
    where = (source, 0) if source else None
    opened = []
    try:
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", running.port), timeout=10, source_address=where)
            with contextlib.suppress(ConnectionError):
                connection.sendall(first)
            opened.append(connection)
        yield opened
    finally:
        for connection in opened:
            connection.close()

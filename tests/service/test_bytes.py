"""Random bytes over real sockets: a documented answer to each, in step, and neither a 500 nor a hang."""

from __future__ import annotations

import io
import socket
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from PIL import Image
from raw import Answer, answers_of
from running import until
from shapes import shape

from facesieve.service.api_errors import codes

_LAST = b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Request-ID: the-last-one\r\nConnection: close\r\n\r\n"
_QUIET = 0.3  # seconds without an answer after which the client says that nothing more will come
_CODES = {(status, code) for code, (status, _) in codes().items()}


@pytest.fixture(scope="module")
def small() -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (40, 40), "grey").save(data, "JPEG")
    return data.getvalue()


def talk(port: int, sent: bytes) -> tuple[list[Answer], bool]:
    """Send a shape and a good request after it: the answers, and whether the service ended the talk by itself."""
    data, by_itself = b"", True
    with socket.create_connection(("127.0.0.1", port), timeout=_QUIET) as connection:
        try:
            connection.sendall(sent + _LAST)
            while piece := connection.recv(65536):
                data += piece
        except TimeoutError:
            by_itself = False
            connection.settimeout(20)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                data += piece
    return answers_of(data), by_itself


def check(port: int, sent: bytes) -> bool:
    """Whether the good request was reached; every answer is as it has to be."""
    try:
        answers, by_itself = talk(port, sent)
        assert answers or not by_itself, "closed without an answer"
        for place, answer in enumerate(answers):
            if answer.status >= 400:
                assert (answer.status, answer.code) in _CODES and answer.status not in (500, 503)
                assert answer.json()["request_id"] == answer.headers["x-request-id"]
            else:
                assert answer.status in (100, 200, 204)
            if answer.headers.get("x-request-id") == "the-last-one":
                # A shape that is cut off may take the last request for its own headers: then the answer is another.
                assert place == len(answers) - 1
        return bool(answers) and answers[-1].body == b'{"status":"live"}'
    except Exception as error:
        error.add_note(f"sent: {sent[:3000]!r}")
        raise


@given(random=st.randoms(use_true_random=False))
@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
def test_what_is_almost_a_request_gets_a_documented_answer(service: Any, small: bytes, random: Random) -> None:
    check(service.port, shape(random, small))


def test_after_it_the_service_is_as_it_was(service: Any) -> None:
    assert not service.events("failure") and not service.events("tornado")
    assert service.gauge("facesieve_held_bytes") == 0
    assert service.faces(b"nothing").status_code == 415


@pytest.mark.slow
def test_fifty_thousand_shapes_get_documented_answers(start: Any, small: bytes) -> None:
    running = start(workers=1, waiting=64)
    with ThreadPoolExecutor(24) as clients:
        reached = sum(clients.map(lambda seed: check(running.port, shape(Random(seed), small)), range(50_000)))
    assert reached > 5_000
    assert not running.events("failure") and not running.events("tornado")
    until(lambda: running.gauge("facesieve_held_bytes") == 0)  # clients that left may not have been noticed yet
    assert running.stop() == 0

"""Bodies that cost much to read do not keep the event loop from anybody else."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import multiprocessing
import time
from typing import Any

import psutil
import pytest
from PIL import Image
from raw import exchange, file_part, form, post, post_form
from running import until

from facesieve.service.time_slices import TimeSlices

LIVE = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
MIB = 1 << 20
# A JPEG of markers without content, so that its header is read to the end; then it says that it is too large.
MARKERS = b"\xff\xd8\xff\xe0\0\x02" + b"\xff\xd0" * 32_700 + b"\xff\xc0\0\x11\x08\xff\xff\xff\xff\x03" + bytes(9)


def bodies() -> dict[str, bytes]:
    """One of each kind that once took long on the event loop, or would if it were read at once."""
    other = b'Content-Disposition: form-data; name="a"'
    begun = b"--BB\r\n" + file_part(b"")[0] + b"\r\n\r\n"
    unknown = b",".join(b'"%05x":0' % number for number in range(90_000))
    packed = post_form("/uploads", gzip.compress(begun + bytes(60 * MIB)))
    return {
        "199 parts, headers of 9 kB": post_form("/uploads", form(*[(other + b'; x="y"' * 1300, b"v")] * 199)),
        "199 parts, headers of 7 kB": post_form("/uploads", form(*[(other + b'; x="y"' * 1000, b"v")] * 199)),
        "60 MB of bare boundaries": post_form("/uploads", b"--BB\r\n" * (10 * MIB)),
        "60 MB of almost boundaries": post_form("/uploads", begun + b"\r\n--BBx" * (60 * MIB // 7)),
        "60 MB packed to 60 kB": packed.replace(b"Host: x", b"Host: x\r\nContent-Encoding: gzip"),
        "13 MB of base64": post("/v1/faces", b"A" * (13 * MIB), "Content-Type: text/plain"),
        "64 MB of blank lines": b"\r\n" * (32 * MIB) + LIVE,
        "chunks of one byte": chunked(b"1\r\na\r\n" * 100_000),
        "chunks of one byte with long extensions": chunked((b"1;" + b"x" * 4000 + b"\r\na\r\n") * 3000),
        "13 MB of JSON keys": post("/v1/faces", b"{%b}" % b",".join(b'"%07x":0' % n for n in range(1_100_000))),
        "13 MB of JSON with escapes": post("/v1/faces", b'{"image":"%b"}' % (b"\\u0041" * (13 * MIB // 6))),
        "13 MB of blanks": post("/v1/faces", b" " * (13 * MIB), "Content-Type: text/plain"),
        "100 pictures of markers": post_form("/uploads", form(*[file_part(MARKERS)] * 100)),
        "1 MB of unknown keys": post("/v1/sieve", b'{"measures":[{%b}]}' % unknown),
        "10,000 rows": post("/v1/sieve", json.dumps({"measures": [{"blur": 1.5}] * 10_000}).encode()),
    }


def chunked(chunks: bytes) -> bytes:
    return (
        b"POST /uploads HTTP/1.1\r\nHost: x\r\nAuthorization: a-token-for-tests\r\nTransfer-Encoding: chunked\r\n"
        b"Content-Type: multipart/form-data; boundary=BB\r\n\r\n" + chunks + b"0\r\n\r\n"
    )


def flood(port: int, sent: bytes, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        exchange(port, sent, seconds=60)


def probes(port: int, sent: bytes, clients: int, seconds: float) -> list[float]:
    """How long each probe took while so many clients sent a request again and again, sorted."""
    context = multiprocessing.get_context("fork")
    others = [context.Process(target=flood, args=(port, sent, seconds)) for _ in range(clients)]
    for other in others:
        other.start()
    waited = []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        started = time.perf_counter()
        [answer] = exchange(port, LIVE)
        waited.append(time.perf_counter() - started)
        assert answer.status == 200
        time.sleep(0.01)
    for other in others:
        other.join()
    return sorted(waited)


@pytest.mark.slow
@pytest.mark.parametrize("name", bodies())
def test_probes_are_answered_while_ten_clients_send_what_costs_most_to_read(start: Any, name: str) -> None:
    check_probes(start, bodies()[name])


@pytest.mark.slow
def test_probes_are_answered_while_ten_clients_send_pictures_of_forty_megapixels(start: Any, huge: bytes) -> None:
    picture = io.BytesIO()
    Image.open(io.BytesIO(huge)).resize((6300, 6300)).save(picture, "JPEG", quality=80)
    check_probes(start, post("/v1/faces", picture.getvalue()))


def check_probes(start: Any, sent: bytes) -> None:
    """Probes are answered within 50 ms (p99) and 200 ms, and memory returns; what else runs here may spoil one try."""
    running = start(workers=2)
    process = psutil.Process(running.process.pid)
    before = process.memory_info().rss
    waited = probes(running.port, sent, clients=10, seconds=6)
    if waited[int(len(waited) * 0.99)] >= 0.05 or waited[-1] >= 0.2:
        waited = probes(running.port, sent, clients=10, seconds=6)
    assert (waited[int(len(waited) * 0.99)] < 0.05, waited[-1] < 0.2) == (True, True), waited[-10:]
    until(lambda: running.gauge("facesieve_held_bytes") == 0)
    assert process.memory_info().rss - before < 250 * MIB


@pytest.mark.parametrize("name", ["199 parts, headers of 7 kB", "60 MB packed to 60 kB", "100 pictures of markers"])
def test_a_probe_does_not_wait_for_four_clients_that_send_what_costs_much(service: Any, name: str) -> None:
    waited = probes(service.port, bodies()[name], clients=4, seconds=1.5)
    assert waited[len(waited) // 2] < 0.1


def test_steps_of_all_clients_together_fill_a_turn_of_the_loop_only_once() -> None:
    async def seen() -> tuple[int, list[int]]:
        slices, iterations, order, done = TimeSlices(), 0, list[int](), False

        async def count() -> None:
            nonlocal iterations
            while not done:
                iterations += 1
                await asyncio.sleep(0)

        async def client(number: int) -> None:
            for _ in range(5):
                async with slices:
                    time.sleep(0.002)
                    order.append(number)

        counting = asyncio.ensure_future(count())
        await asyncio.gather(*map(client, range(10)))
        done = True
        await counting
        return iterations, order

    iterations, order = asyncio.run(seen())
    assert iterations >= 50  # one step in each, of fifty
    assert all(sorted(order[place : place + 10]) == list(range(10)) for place in range(0, 50, 10))


def test_a_step_that_fails_lets_the_next_one_in() -> None:
    async def second() -> str:
        slices = TimeSlices()
        with pytest.raises(ValueError):
            async with slices:
                raise ValueError
        async with slices:
            return "in"

    assert asyncio.run(asyncio.wait_for(second(), 5)) == "in"

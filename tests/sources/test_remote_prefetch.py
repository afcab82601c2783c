"""Pictures behind URLs come in order, fetched many at a time, while little memory is held."""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from picture_host import Host, answered, host

from facesieve.errors import Refused
from facesieve.records import Source
from facesieve.settings import Settings
from facesieve.sources.openers import File
from facesieve.sources.remote.prefetch import UrlPrefetch
from facesieve.sources.remote.remote import Remote
from facesieve.sources.remote.resolver import Answers
from facesieve.sources.remote.thread import FetchThread


def settings(**given: Any) -> Settings:
    return Settings(**({"fetch_allow_addresses": ["127.0.0.0/8"], "fetch_tries": 1} | given))


def sources(running: Host, count: int, chosen: Settings) -> list[Source]:
    return [Source(url, open=Remote(url, chosen)) for url in (running.url(f"/{number}") for number in range(count))]


def content(source: Source) -> bytes | str:
    assert source.open
    try:
        with source.open() as stream:
            return stream.read()
    except Refused as refused:
        return refused.code.value


async def slow(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
    number = int(path[1:])
    await asyncio.sleep(0.3 if number % 7 == 0 else 0.1)
    writer.write(answered(status="404 Not Found") if number % 5 == 3 else answered(f"{number}".encode()))


def test_no_sources_are_none() -> None:
    assert list(UrlPrefetch(settings())([])) == []


@pytest.mark.parametrize("count", [1, 100])
def test_sources_come_in_order_with_their_bytes_or_their_refusal(count: int) -> None:
    chosen = settings(fetch_connections=50, fetch_connections_per_host=50)
    with host(slow) as running:
        wanted = sources(running, count, chosen)
        begun = time.monotonic()
        found = list(UrlPrefetch(chosen)(wanted))
        seconds = time.monotonic() - begun
    assert [source.name for source in found] == [source.name for source in wanted]
    assert [content(one) for one in found] == [
        "fetch_failed" if number % 5 == 3 else f"{number}".encode() for number in range(count)
    ]
    assert running.most <= 50 and seconds < 0.1 * count + 5  # one after the other it would take longer


def test_only_so_many_are_fetched_from_one_host_at_a_time() -> None:
    chosen = settings(fetch_connections=50, fetch_connections_per_host=3)
    with host(slow) as running:
        list(UrlPrefetch(chosen)(sources(running, 20, chosen)))
    assert running.most == 3


def test_only_so_many_are_asked_of_one_host_in_a_second() -> None:
    chosen = settings(fetch_rate_per_host=20)
    with host(slow) as running:
        begun = time.monotonic()
        list(UrlPrefetch(chosen)(sources(running, 11, chosen)))
        assert time.monotonic() - begun >= 0.5  # ten pauses of a twentieth


def test_files_and_arrays_between_urls_stay_in_their_places(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"file")
    array = Source("array", pixels=np.zeros((2, 2, 3), np.uint8))
    chosen = settings()
    with host(slow) as running:
        first, second = sources(running, 2, chosen)
        found = list(UrlPrefetch(chosen)([first, Source("a", open=File(str(tmp_path / "a"))), array, second]))
    assert [content(found[0]), content(found[1]), content(found[3])] == [b"0", b"file", b"1"]
    assert found[2] is array


def test_local_sources_are_drawn_one_at_a_time_and_start_no_thread() -> None:
    drawn: list[int] = []

    def local() -> Iterator[Source]:
        for number in range(9):
            drawn.append(number)
            yield Source(str(number), open=File("x"))

    threads = threading.active_count()
    found = UrlPrefetch(settings())(local())
    next(found)
    next(found)
    assert drawn == [0, 1] and threading.active_count() == threads


MEMORY = """
import resource, sys, time
from picture_host import host
from facesieve.records import Source
from facesieve.settings import Settings
from facesieve.sources.remote.prefetch import UrlPrefetch
from facesieve.sources.remote.remote import Remote
from facesieve.sources.remote.resolver import Answers
part = bytes(1 << 16)
async def large(running, writer, path):
    writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 4194304\\r\\n\\r\\n")
    for _ in range(64):  # so that this side holds little
        writer.write(part)
        await writer.drain()
chosen = Settings(fetch_allow_addresses=["127.0.0.0/8"], fetch_tries=1, fetch_connections=40,
                  fetch_connections_per_host=40, fetch_buffer_bytes=16 << 20)
with host(large) as running:
    sources = [Source(str(n), open=Remote(running.url(f"/{n}"), chosen)) for n in range(80)]
    ahead, before = UrlPrefetch(chosen), None
    for number, source in enumerate(ahead(sources)):
        assert len(source.open().read()) == 4 << 20
        before = before or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        time.sleep(0 if number else 3)  # all would be here by then
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_stays_within_the_buffer_however_many_and_large_pictures_are() -> None:
    child = subprocess.run([sys.executable, "-c", MEMORY], capture_output=True, text=True, env=with_helpers())
    assert child.returncode == 0, child.stderr
    # The buffer, what connections hold besides, and some copies; all pictures have 320 MB.
    assert int(child.stdout) * 1024 < 60 << 20


def with_helpers() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(Path(__file__).parent)}


def test_waiting_for_a_picture_is_told_about_every_second() -> None:
    async def late(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        await asyncio.sleep(2.5)
        writer.write(answered(b"late"))

    told: list[float] = []
    chosen = settings()
    with host(late) as running:
        [found] = UrlPrefetch(chosen)(sources(running, 1, chosen), lambda: told.append(time.monotonic()))
        assert content(found) == b"late"
    assert 1 <= len(told) <= 3


def test_one_that_ends_early_stops_what_is_on_its_way() -> None:
    async def endless(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        if path == "/0":
            writer.write(answered(b"0"))
            return
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    chosen = settings()
    with host(endless) as running:
        ahead = UrlPrefetch(chosen)
        found = ahead(sources(running, 5, chosen))
        assert content(next(found)) == b"0"
        found.close()  # type: ignore[attr-defined]
        until = time.monotonic() + 10
        while running.open and time.monotonic() < until:
            time.sleep(0.05)
        assert running.open == 0


def test_an_opener_pickles_and_fetches_its_picture_alone() -> None:
    chosen = settings()
    with host(slow) as running:
        [source] = sources(running, 1, chosen)
        assert content(pickle.loads(pickle.dumps(source))) == b"0"


def fetching() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "fetch"]


def wait_for_the_end_of_threads() -> None:
    until = time.monotonic() + 10
    while fetching() and time.monotonic() < until:
        gc.collect()  # errors hold the frames that they came through
        time.sleep(0.05)
    assert not fetching()


def test_the_thread_ends_with_its_owner() -> None:
    chosen = settings()
    with host(slow) as running:
        ahead = UrlPrefetch(chosen)
        list(ahead(sources(running, 2, chosen)))
        assert fetching()
    del ahead
    wait_for_the_end_of_threads()


def test_the_thread_ends_if_its_fetcher_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    wait_for_the_end_of_threads()  # of other tests

    def refuse() -> None:
        assert fetching()
        raise OSError("no certificates")

    monkeypatch.setattr(ssl, "create_default_context", refuse)
    with pytest.raises(OSError, match="no certificates"):
        FetchThread(settings())
    wait_for_the_end_of_threads()


def test_name_servers_that_are_silent_for_every_host_cost_a_bounded_time() -> None:
    over = threading.Event()

    def silent(name: str, port: int, family: int) -> Answers:
        over.wait(600)
        return []

    chosen = settings(fetch_connect_timeout=0.3)
    wanted = [Source(url, open=Remote(url, chosen)) for url in (f"http://{one}.example/" for one in range(200))]
    begun = time.monotonic()
    found = [content(source) for source in UrlPrefetch(chosen, silent)(wanted)]
    over.set()
    assert found == ["fetch_timeout"] * 200
    assert time.monotonic() - begun < 60  # 200 URLs, 64 at a time

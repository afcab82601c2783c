"""Builds of URLs that are killed while they fetch: nothing is lost, nothing is twice, and the bytes are the same."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from picture_host import Host, answered, host

from handmade import files_in

COUNT = 24
OPTIONS = ("--allow-address", "127.0.0.0/8", "--keep-rejected", "-q", "--setting", "pose=none")
MORE = ("--setting", "shard_size=4", "--setting", "fetch_tries=1", "--setting", "fetch_connections=6")


@pytest.fixture
def hosting(hopper: Path) -> Callable[..., object]:
    """`with hosting(pause) as running:` is a host of different pictures; every seventh fails."""
    data = hopper.read_bytes()

    @contextmanager
    def one(pause: float = 0.1) -> Iterator[Host]:
        async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
            await asyncio.sleep(pause)
            number = int(path[1:])
            # Bytes after the end of a JPEG make another file of the same picture.
            writer.write(answered(status="404 Not Found") if number % 7 == 6 else answered(data + b"%d" % number))

        with host(answer) as running:
            yield running

    return one


def command(listed: Path, dataset: Path, workers: int) -> list[str]:
    build = [sys.executable, "-m", "facesieve", "build", str(listed), "-o", str(dataset), "--workers", str(workers)]
    return [*build, *OPTIONS, *MORE]


def finish(listed: Path, dataset: Path, workers: int) -> None:
    done = subprocess.run(command(listed, dataset, workers), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def kill_when(running: Host, asked: int, listed: Path, dataset: Path, workers: int) -> None:
    """Start a build and kill it with all its processes once the host was asked so many times."""
    before, end = len(running.asked), time.monotonic() + 120
    process = subprocess.Popen(command(listed, dataset, workers), start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        while len(running.asked) - before < asked and process.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.01)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_build_that_is_killed_while_it_fetches_ends_as_one_that_is_not(
    tmp_path: Path, hosting: Callable[..., object], workers: int
) -> None:
    with hosting() as running:  # type: ignore[attr-defined]
        urls = [running.url(f"/{number}") for number in range(COUNT)]
        listed = tmp_path / "list.csv"
        listed.write_text("url,label\n" + "".join(f"{url},{number % 3}\n" for number, url in enumerate(urls)))
        finish(listed, tmp_path / "whole", 1)
        assert Counter(running.asked) == {f"/{number}": 1 for number in range(COUNT)}
        running.asked.clear()
        for asked in (3, 12):
            kill_when(running, asked, listed, tmp_path / "out", workers)
        finish(listed, tmp_path / "out", workers)
        assert max(Counter(running.asked).values()) <= 3
        asked_in_all = len(running.asked)
    assert files_in(tmp_path / "out") == files_in(tmp_path / "whole")
    table = pq.read_table(tmp_path / "out" / "pictures.parquet").to_pylist()
    assert sorted(row["source"] for row in table) == sorted(urls)
    assert [row["refusal"] for row in table].count("fetch_failed") == 3
    assert asked_in_all < 3 * COUNT


@pytest.mark.slow
def test_builds_killed_at_many_moments_of_fetching(tmp_path: Path, hosting: Callable[..., object]) -> None:
    with hosting(0.03) as running:  # type: ignore[attr-defined]
        listed = tmp_path / "list.txt"
        listed.write_text("".join(f"{running.url(f'/{number}')}\n" for number in range(COUNT)))
        finish(listed, tmp_path / "whole", 1)
        for asked in range(1, COUNT, 2):
            out = tmp_path / str(asked)
            kill_when(running, asked, listed, out, 1 + asked % 2)
            finish(listed, out, 1)
            assert files_in(out) == files_in(tmp_path / "whole")


def test_a_url_that_failed_counts_one_build_for_each_that_ended(tmp_path: Path, hosting: Callable[..., object]) -> None:
    """A build that was killed before its shard was finished does not count."""
    with hosting(0.3) as running:  # type: ignore[attr-defined]
        listed = tmp_path / "list.txt"
        listed.write_text("".join(f"{running.url(f'/{number}')}\n" for number in (6, 13, 20, 27)))
        kill_when(running, 1, listed, tmp_path / "out", 1)
        running.asked.clear()
        for _ in range(5):
            finish_failing(listed, tmp_path / "out")
        assert set(Counter(running.asked).values()) == {3}  # fetch_builds


def finish_failing(listed: Path, dataset: Path) -> None:
    done = subprocess.run(command(listed, dataset, 1), capture_output=True, text=True, timeout=300)
    assert done.returncode in (0, 1), done.stderr

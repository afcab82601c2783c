"""The reference's own queue, a plain list of `name@url`, with a real Redis: no item is lost, none is answered twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from picture_host import Host, answered, host
from queue_workers import Worker, results, until
from redis_server import RedisServer

OPEN = {"FACESIEVE_FETCH_ALLOW_ADDRESSES": "127.0.0.0/8", "FACESIEVE_FETCH_TRIES": "1", "FACESIEVE_QUEUE_LEASE": "2"}


@pytest.fixture
def picture(hopper: Path) -> bytes:
    return hopper.read_bytes()


def test_items_are_answered_in_the_names_of_the_reference(tmp_path: Path, picture: bytes) -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(answered(picture) if path == "/a@b.jpg" else answered(status="404 Not Found"))

    with RedisServer(tmp_path) as server, host(answer) as pictures:
        redis = server.client()
        redis.rpush(
            "faces", f"grace@{pictures.url('/a@b.jpg')}", f"gone@{pictures.url('/b')}", "no url", "x@file:///etc/passwd"
        )
        status, out, err = Worker(server.url, "--list", "faces", "--drain", "--workers", "1", **OPEN).end()
        assert (status, out) == (0, "4 jobs finished (3 refused), 0 tried again, 0 dead.\n"), err
        found = results(redis)
        assert found["grace"]["answer"]["face_total"] == 1
        assert found["grace"]["answer"]["resp"][0]["face_align_images_b64"]
        assert found["gone"]["code"] == "fetch_failed"
        assert sorted(one["code"] for id, one in found.items() if id not in ("grace", "gone")) == ["bad_job"] * 2
        assert sorted(redis.scan_iter()) == [b"faces:results"]


def test_no_item_is_lost_or_answered_twice_when_workers_are_killed(tmp_path: Path, picture: bytes) -> None:
    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        writer.write(answered(picture + (b"POISON" if path == "/7" else b"")))

    count = 40
    with RedisServer(tmp_path, durable=True) as server, host(answer) as pictures:
        redis = server.client()
        redis.rpush("faces", *(f"{number}@{pictures.url(f'/{number}')}" for number in range(count)))

        def worker() -> Worker:
            few = {"FACESIEVE_QUEUE_BATCH": "4"}  # others take over what a killed worker held one by one
            return Worker(server.url, "--list", "faces", "--drain", "--workers", "1", deadly=True, **OPEN, **few)

        running = [worker(), worker()]
        for moment in (5, 15):
            until(lambda moment=moment: redis.xlen("faces:results") >= moment)  # type: ignore[misc]
            running.pop(0).kill()
            running.append(worker())
        for one in running:
            status, _, err = one.end()
            assert status == 0, err
        assert results(redis).keys() == {f"{number}" for number in range(count)} - {"7"}
        assert [fields[b"job"].split(b"@")[0] for _, fields in redis.xrange("faces:dead")] == [b"7"]


def test_identical_items_in_a_killed_worker_are_all_answered(tmp_path: Path, picture: bytes) -> None:
    first = asyncio.Event()

    async def answer(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        if not first.is_set():
            await asyncio.sleep(60)
        writer.write(answered(picture))

    count = 5  # more than the tries of one item
    with RedisServer(tmp_path) as server, host(answer) as pictures:
        redis = server.client()
        redis.rpush("faces", *[f"same@{pictures.url('/a')}"] * count)
        lost = Worker(server.url, "--list", "faces", "--workers", "1", **OPEN)
        until(lambda: redis.llen("faces") == 0 and pictures.connections)
        lost.kill()
        first.set()
        status, out, err = Worker(server.url, "--list", "faces", "--drain", "--workers", "1", **OPEN).end()
        assert (status, out) == (0, f"{count} jobs finished (0 refused), 0 tried again, 0 dead.\n"), err
        assert redis.xlen("faces:results") == count and redis.xlen("faces:dead") == 0


def test_a_stopped_worker_puts_back_what_it_did_not_begin(tmp_path: Path) -> None:
    async def never(running: Host, writer: asyncio.StreamWriter, path: str) -> None:
        await asyncio.sleep(600)

    with RedisServer(tmp_path) as server, host(never) as pictures:
        redis = server.client()
        items = [f"{number}@{pictures.url(f'/{number}')}".encode() for number in range(3)]
        redis.rpush("faces", *items)
        worker = Worker(server.url, "--list", "faces", "--workers", "1", **OPEN)
        until(lambda: pictures.connections == 3)
        assert worker.stop()[:2] == (0, "0 jobs finished (0 refused), 0 tried again, 0 dead.\n")
        assert redis.lrange("faces", 0, -1) == items
        assert sorted(redis.scan_iter()) == [b"faces"]

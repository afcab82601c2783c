"""What entries count when Redis makes a change and its answer is lost, so that the call is repeated."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from queue_workers import submit
from redis_server import RedisServer

pytest.importorskip("redis", reason="needs redis, of the extra queue")

from redis.asyncio import Redis

from facesieve.queue.entries import RETURNED, Entries, Names
from facesieve.queue.redis_list import ListEntries

NAMES = Names("faces:jobs", "facesieve", "faces:results", "faces:dead")


def held(redis: Any) -> list[tuple[str, int]]:
    """The worker that holds each entry, and how often the entry was taken."""
    pending = redis.xpending_range(NAMES.stream, NAMES.group, "-", "+", 10)
    return [(one["consumer"].decode(), one["times_delivered"]) for one in pending]


def test_an_entry_that_is_given_back_twice_is_returned_once(tmp_path: Path) -> None:
    async def check(redis: Any) -> None:
        async with Redis(port=server.port) as client:
            worker = Entries(client, NAMES, "worker", 0.01, 60)
            await worker.prepare()
            [entry] = await worker.read(1, 1)
            await worker.take_again(entry)
            assert held(redis) == [("worker", 2)]
            await worker.give_back([entry.id])
            await worker.give_back([entry.id])
            assert held(redis) == [(RETURNED, 1)]

    with RedisServer(tmp_path) as server:
        submit(server.client(), "a", b"x")
        asyncio.run(check(server.client()))


def test_an_entry_that_another_worker_has_claimed_is_not_given_back(tmp_path: Path) -> None:
    async def check(redis: Any) -> None:
        async with Redis(port=server.port) as client:
            worker, other = (Entries(client, NAMES, name, 0.01, 60) for name in ("worker", "other"))
            await worker.prepare()
            [entry] = await worker.read(1, 1)
            await worker.give_back([entry.id])
            claimed = await other.claim()
            assert claimed
            await other.take_again(claimed)
            await worker.give_back([entry.id])
            assert held(redis) == [("other", 1)]

    with RedisServer(tmp_path) as server:
        submit(server.client(), "a", b"x")
        asyncio.run(check(server.client()))


def test_an_entry_that_is_taken_again_counts_once_however_often_the_call_is_repeated(tmp_path: Path) -> None:
    async def check(redis: Any) -> None:
        async with Redis(port=server.port) as client:
            worker = Entries(client, NAMES, "worker", 60, 60)
            await worker.prepare()
            [entry] = await worker.read(1, 1)
            assert (await worker.take_again(entry)).taken == 2
            again = await worker.take_again(entry)
            assert (again.taken, held(redis)) == (2, [("worker", 2)])
            assert (await worker.take_again(again)).taken == 3

    with RedisServer(tmp_path) as server:
        submit(server.client(), "a", b"x")
        asyncio.run(check(server.client()))


def test_an_item_that_is_taken_again_counts_once_however_often_the_call_is_repeated(tmp_path: Path) -> None:
    async def check() -> None:
        async with Redis(port=server.port) as client:
            worker = ListEntries(client, NAMES, "worker", 60, 60)
            await worker.prepare()
            entry, twin = await worker.read(2, 1)
            assert [(await worker.take_again(entry)).taken for _ in range(3)] == [2, 2, 2]
            assert (await worker.take_again(twin)).taken == 3, "identical items are counted together"
            again = await worker.take_again(entry)
            assert [(await worker.take_again(again)).taken for _ in range(2)] == [4, 4]

    with RedisServer(tmp_path) as server:
        server.client().rpush(NAMES.stream, "a@http://127.0.0.1/a", "a@http://127.0.0.1/a")
        asyncio.run(check())

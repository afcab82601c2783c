"""Room for pictures that are fetched ahead of their use."""

from __future__ import annotations

import asyncio

import pytest

from facesieve.sources.remote.buffer import Buffer, Full

MIB = 2**20


async def settled(*tasks: asyncio.Task[None]) -> list[bool]:
    """Which of the tasks are done once nothing more happens by itself."""
    for _ in range(5):
        await asyncio.sleep(0)
    return [task.done() for task in tasks]


def test_as_many_enter_as_are_expected_to_fit() -> None:
    async def run() -> None:
        buffer = Buffer(2 * MIB)  # a picture is expected to have half a MiB before one was seen
        tasks = [asyncio.create_task(buffer.acquire(number)) for number in range(6)]
        assert await settled(*tasks) == [True, True, True, True, False, False]
        buffer.finish(0, MIB)  # now one MiB is expected of each
        buffer.take(0)
        assert await settled(*tasks) == [True, True, True, True, False, False]
        for number in (1, 2, 3):
            buffer.finish(number, 1000)
            buffer.take(number)
        assert await settled(*tasks) == [True] * 6

    asyncio.run(run())


def test_the_picture_that_is_needed_next_always_enters_however_full_it_is() -> None:
    async def run() -> None:
        buffer = Buffer(1000)
        first, second = (asyncio.create_task(buffer.acquire(number)) for number in range(2))
        assert await settled(first, second) == [True, False]
        buffer.arriving(0, 10 * MIB)
        buffer.finish(0, 10 * MIB)
        assert await settled(second) == [False]
        buffer.take(0)
        assert await settled(second) == [True]

    asyncio.run(run())


def test_a_picture_larger_than_expected_makes_room_for_the_one_before_it() -> None:
    async def run() -> None:
        buffer = Buffer(2 * MIB)
        for number in range(3):
            await buffer.acquire(number)
        buffer.arriving(0, MIB)
        buffer.arriving(1, MIB)
        with pytest.raises(Full):
            buffer.arriving(2, 1)
        buffer.arriving(0, 5 * MIB)
        again = asyncio.create_task(buffer.acquire(2))
        assert await settled(again) == [False]
        buffer.finish(0, 5 * MIB)
        buffer.take(0)
        buffer.finish(1, 100)
        buffer.take(1)
        assert await settled(again) == [True]

    asyncio.run(run())


def test_nothing_arrives_any_more_once_it_is_closed() -> None:
    async def run() -> None:
        buffer = Buffer(MIB)
        await buffer.acquire(0)
        buffer.close()
        with pytest.raises(Full):
            buffer.arriving(0, 1)

    asyncio.run(run())

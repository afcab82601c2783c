"""Limits the bytes of fetched pictures that wait to be used; the picture that is needed next always has room."""

from __future__ import annotations

import asyncio
from collections import deque

_EXPECTED_SIZE = 512 * 1024  # bytes; the expected size of a picture before the first one has arrived


class Full(Exception):  # noqa: N818 - it is an outcome, not an error
    """The buffer is full; fetch this picture again when there is room."""


class Buffer:
    """Room for pictures that are prefetched, in bytes. Belongs to one event loop, and to one run of pictures.

    Pictures have numbers from 0, in the order in which they are used. A picture enters when those before it and its
    expected size leave room. If pictures turn out larger than expected, later ones stop and wait to enter again.
    limit: most bytes held, besides those of the picture that is needed next.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._next = 0
        self._held: dict[int, int] = {}
        self._complete: set[int] = set()
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._mean, self._seen = float(_EXPECTED_SIZE), 0
        self._closed = False

    async def acquire(self, number: int) -> None:
        """Wait for room."""
        entered = asyncio.get_running_loop().create_future()
        self._waiting.append((number, entered))
        self._admit()
        try:
            await entered
        except asyncio.CancelledError:
            self._held.pop(number, None)
            raise

    def arriving(self, number: int, count: int) -> None:
        """Note that `count` bytes of a picture are held. Raises Full if this picture has to make room."""
        self._held[number] = count
        if self._closed or (number != self._next and sum(self._held.values()) > self._limit):
            del self._held[number]
            raise Full

    def finish(self, number: int, count: int) -> None:
        """Note that a picture has arrived with `count` bytes, or has failed with 0."""
        self._held[number] = count
        self._complete.add(number)
        if count:
            self._seen += 1
            self._mean += (count - self._mean) / self._seen
        self._admit()

    def take(self, number: int) -> None:
        """Release the room of a picture; the next one is needed now."""
        self._held.pop(number, None)
        self._complete.discard(number)
        self._next = number + 1
        self._admit()

    def close(self) -> None:
        """Stop pictures that still arrive, because nothing will be used any more."""
        self._closed = True

    def _admit(self) -> None:
        """Let pictures in while their expected sizes leave room."""
        expected = sum(
            count if number in self._complete else max(count, self._mean) for number, count in self._held.items()
        )
        # The picture that is needed next comes first: if it was stopped before, it waits at the end.
        for number, entered in [one for one in self._waiting if one[0] == self._next] + list(self._waiting):
            if entered.done():
                continue
            if number != self._next and expected + self._mean > self._limit:
                break
            expected += self._mean
            self._held[number] = 0
            entered.set_result(None)
        self._waiting = deque(one for one in self._waiting if not one[1].done())

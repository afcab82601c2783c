"""Several seats that take requests from one queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from facesieve.processes.child import Child
from facesieve.processes.seat import Limits, RequestQueue, Seat, SeatObserver


class Pool:
    """A number of seats, and the threads in which they wait for their children. See `Seat` for the arguments."""

    def __init__(
        self, count: int, start: Callable[[], Child], requests: RequestQueue, limits: Limits, observer: SeatObserver
    ) -> None:
        self._threads = ThreadPoolExecutor(count, "seat")
        self._seats = [Seat(start, requests, self._threads, limits, observer) for _ in range(count)]
        self._owners: list[asyncio.Future[None]] = []

    def start(self) -> None:
        """Start the children; they become ready one by one."""
        _start_all(self._threads, len(self._seats))
        self._owners = [asyncio.ensure_future(seat.own()) for seat in self._seats]

    @property
    def alive(self) -> int:
        """Seats whose child has started and not ended."""
        return sum(seat.alive for seat in self._seats)

    def close(self) -> None:
        """Kill all children. The requests that they work on are lost."""
        self._kill()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def close_and_wait(self) -> None:
        """Kill all children, and wait until they have ended."""
        self._kill()
        await asyncio.gather(*self._owners)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _kill(self) -> None:
        for seat in self._seats:
            seat.close()


def _start_all(threads: ThreadPoolExecutor, count: int) -> None:
    """Start all threads now, so that none has to be started later, when memory or threads may be short."""
    together = Barrier(count + 1)
    try:
        for _ in range(count):
            threads.submit(together.wait)
    except RuntimeError:  # no more threads can be started: release those that wait
        together.abort()
        raise
    together.wait()

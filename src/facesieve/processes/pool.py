"""Several slots that take requests from one queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from facesieve.processes.child import Child
from facesieve.processes.worker_slot import Limits, RequestQueue, SlotObserver, WorkerSlot


class Pool:
    """A number of slots, and the threads in which they wait for their children. See `WorkerSlot` for the arguments."""

    def __init__(
        self, count: int, start: Callable[[], Child], requests: RequestQueue, limits: Limits, observer: SlotObserver
    ) -> None:
        self._threads = ThreadPoolExecutor(count, "slot")
        self._slots = [WorkerSlot(start, requests, self._threads, limits, observer) for _ in range(count)]
        self._owners: list[asyncio.Future[None]] = []

    def start(self) -> None:
        """Start the children; they become ready one by one."""
        _start_all(self._threads, len(self._slots))
        self._owners = [asyncio.ensure_future(slot.own()) for slot in self._slots]

    @property
    def alive(self) -> int:
        """Worker slots whose child has started and not ended."""
        return sum(slot.alive for slot in self._slots)

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
        for slot in self._slots:
            slot.close()


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

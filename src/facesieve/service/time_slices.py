"""Shares the event loop: work on bodies is done in short steps, whatever the number of clients."""

from __future__ import annotations

import asyncio
import time

_BUDGET = 0.001  # seconds of such work in one iteration of the event loop


class TimeSlices:
    """Use `async with time_slices:` around each step of such work. Steps run one at a time, first come, first served.

    A probe such as `/livez` needs several iterations of the event loop, so the steps of all clients together may take
    only a short time in each iteration.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._began = 0.0
        self._spent = 0.0

    async def __aenter__(self) -> None:
        await self._lock.acquire()
        self._began = time.perf_counter()

    async def __aexit__(self, *raised: object) -> None:
        try:
            self._spent += time.perf_counter() - self._began
            if self._spent >= _BUDGET:
                self._spent = 0.0
                await asyncio.sleep(0)  # the lock is still held, so no other step runs in this iteration
        finally:
            self._lock.release()

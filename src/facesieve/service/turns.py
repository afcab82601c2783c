"""Shares the event loop: work on bodies goes in short steps, whatever the number of clients."""

from __future__ import annotations

import asyncio
import time

_BUDGET = 0.001  # seconds of such work in one turn of the event loop


class Turns:
    """Around each step of such work: `async with turns:`. Steps come one after the other, in the order they asked.

    A probe takes several turns of the event loop, so each turn must be short for all clients together.
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
                await asyncio.sleep(0)  # the lock is held, so that nothing else works in this turn
        finally:
            self._lock.release()

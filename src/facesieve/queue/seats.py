"""The worker processes of one queue worker: each does one picture at a time, and may die."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from facesieve.processes.child import Child
from facesieve.processes.forkserver import spawned
from facesieve.processes.seat import Ended, Limits, PendingRequest, Seat
from facesieve.service.worker import run_worker
from facesieve.settings import Settings


class Seats:
    """Sends each request to a process that is free. Build and close it in one event loop.

    count: the number of processes. settings: those of the pipeline in each process.
    """

    def __init__(self, count: int, settings: Settings) -> None:
        self._waiting: deque[PendingRequest] = deque()
        self._more = asyncio.Event()
        self._threads = ThreadPoolExecutor(count, "seat")
        limits = Limits(settings.start_timeout, grace=0)
        start = partial(Child, spawned, run_worker, settings, 0)
        self._seats = [Seat(start, self, self._threads, limits, self) for _ in range(count)]
        self._ready = asyncio.Event()
        self._error: Exception | None = None
        self._owners = [asyncio.ensure_future(seat.own()) for seat in self._seats]

    async def wait_ready(self) -> None:
        """Wait until the first process is ready. Raises the error with which it failed to start."""
        await self._ready.wait()
        if self._error:
            raise self._error

    async def ask(self, options: Any, data: bytes, delivered: Callable[[], None]) -> Any:
        """The reply of a process. Raises ChildDied if the process dies. If the call is cancelled, the process is ended.

        delivered: called when a process has the data.
        """
        ask = PendingRequest(options, data, asyncio.get_running_loop().create_future(), delivered)
        self._waiting.append(ask)
        self._more.set()
        return await ask.reply

    async def close(self) -> None:
        for seat in self._seats:
            seat.close()
        await asyncio.gather(*self._owners)
        self._threads.shutdown(wait=False, cancel_futures=True)

    # called by seats

    async def take(self) -> PendingRequest:
        while True:
            while not self._waiting:
                self._more.clear()
                await self._more.wait()
            ask = self._waiting.popleft()
            if not ask.reply.done():
                return ask

    def put_back(self, ask: PendingRequest) -> None:
        self._waiting.appendleft(ask)
        self._more.set()

    def changed(self, seat: Seat) -> None:
        if seat.alive:
            self._error = None
            self._ready.set()

    def died(self, seat: Seat, ended: Ended) -> None:
        pass

    def not_started(self, seat: Seat, error: Exception, again: float) -> None:
        if not self._ready.is_set():
            self._error = error
            self._ready.set()

"""The worker processes of one queue worker: each does one picture at a time, and may die."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from facesieve.processes.child import Child
from facesieve.processes.forkserver import spawned
from facesieve.processes.pool import Pool
from facesieve.processes.worker_slot import Ended, Limits, PendingRequest, WorkerSlot
from facesieve.service.worker import run_worker
from facesieve.settings import Settings


class WorkerProcesses:
    """Sends each request to a process that is free. Build and close it in one event loop.

    count: the number of processes. settings: those of the pipeline in each process.
    """

    def __init__(self, count: int, settings: Settings) -> None:
        self._waiting: deque[PendingRequest] = deque()
        self._more = asyncio.Event()
        limits = Limits(settings.start_timeout, grace=0)
        start = partial(Child, spawned, run_worker, settings, 0)
        self._pool = Pool(count, start, self, limits, self)
        self._ready = asyncio.Event()
        self._error: Exception | None = None
        self._pool.start()

    async def wait_ready(self) -> None:
        """Wait until the first process is ready. Raises the error with which it failed to start."""
        await self._ready.wait()
        if self._error:
            raise self._error

    async def request(self, options: Any, data: bytes, delivered: Callable[[], None]) -> Any:
        """The reply of a process. Raises ChildDied if the process dies. If the call is cancelled, the process is ended.

        delivered: called when a process has the data.
        """
        request = PendingRequest(options, data, asyncio.get_running_loop().create_future(), delivered)
        self._waiting.append(request)
        self._more.set()
        return await request.reply

    async def close(self) -> None:
        await self._pool.close_and_wait()

    # called by slots

    async def take(self) -> PendingRequest:
        while True:
            while not self._waiting:
                self._more.clear()
                await self._more.wait()
            request = self._waiting.popleft()
            if not request.reply.done():
                return request

    def put_back(self, request: PendingRequest) -> None:
        self._waiting.appendleft(request)
        self._more.set()

    def changed(self, slot: WorkerSlot) -> None:
        if slot.alive:
            self._error = None
            self._ready.set()

    def died(self, slot: WorkerSlot, ended: Ended) -> None:
        pass

    def not_started(self, slot: WorkerSlot, error: Exception, again: float) -> None:
        if not self._ready.is_set():
            self._error = error
            self._ready.set()

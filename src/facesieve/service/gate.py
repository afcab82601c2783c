"""How many at once, who waits, who is told no: the whole overload story.

W requests are at work, Q wait in the order they came, and everyone else is told no at once, with the time to come
again. A request that has waited or worked past its deadline, or whose client has gone, leaves; what a worker still
does for it is killed after a grace.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from facesieve.errors import FacesieveError
from facesieve.service.faults import Fault, FaultCode
from facesieve.service.worker import Worker

_AGAIN = 1.0  # seconds until a worker that did not start is started again
_MEMORY = 0.1  # share of the newest request in the remembered time at work


class Gate:
    """Admits requests to workers.

    waiting: how many may wait. grace: seconds that work nobody waits for may go on. held: most body bytes held.
    """

    def __init__(self, workers: Sequence[Worker], waiting: int, grace: float, max_held: int) -> None:
        self._workers = workers
        self._places = len(workers) + waiting
        self._grace = grace
        self._max_held = max_held
        self._idle: asyncio.Queue[Worker] = asyncio.Queue()
        self._settling: set[asyncio.Task[None]] = set()
        self._seconds = 0.5
        self.inside = 0
        self.working = 0
        self.held = 0

    def open(self) -> None:
        """Let requests in: the workers are warm."""
        for worker in self._workers:
            self._idle.put_nowait(worker)

    @property
    def full(self) -> bool:
        return self.inside >= self._places

    @property
    def waiting(self) -> int:
        return self.inside - self.working

    def hold(self, size: int) -> None:
        """Take `size` more bytes of bodies into memory. Raises Fault `busy` when there is no room."""
        if self.held + size > self._max_held:
            raise self.no()
        self.held += size

    def release(self, size: int) -> None:
        self.held -= size

    def no(self) -> Fault:
        """The refusal, with the seconds after which a place should be free at the present pace."""
        return Fault(FaultCode.BUSY, headers={"Retry-After": str(self.retry_after())})

    def retry_after(self) -> int:
        """Whole seconds until those who are inside will have been served, at least 1."""
        return max(1, math.ceil(self.inside * self._seconds / max(1, len(self._workers))))

    @asynccontextmanager
    async def worker(self, deadline: float) -> AsyncIterator[Worker]:
        """A worker of one's own until the block ends.

        deadline: on the loop's clock; what has not ended by then is cut off. Raises Fault `busy`, `deadline`.
        """
        if self.full:
            raise self.no()
        self.inside += 1
        worker: Worker | None = None
        try:
            async with asyncio.timeout_at(deadline):
                worker = await self._idle.get()
                self.working += 1
                started = time.monotonic()
                yield worker
                self._seconds += _MEMORY * (time.monotonic() - started - self._seconds)
        except TimeoutError:
            raise Fault(FaultCode.DEADLINE) from None
        finally:
            self.inside -= 1
            if worker is not None:
                self.working -= 1
                self._give_back(worker)

    def _give_back(self, worker: Worker) -> None:
        task = asyncio.ensure_future(self._settle(worker))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def _settle(self, worker: Worker) -> None:
        """A seat whose process cannot be started now is tried again: the others work on."""
        while True:
            try:
                await worker.settle(self._grace)
            except FacesieveError:
                await asyncio.sleep(_AGAIN)
            else:
                self._idle.put_nowait(worker)
                return

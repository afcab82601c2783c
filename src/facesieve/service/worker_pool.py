"""The worker processes of the service: starts and replaces them, and reports both to log and metrics."""

from __future__ import annotations

import asyncio
from functools import partial

from facesieve.errors import FacesieveError
from facesieve.processes.child import Child
from facesieve.processes.forkserver import spawned
from facesieve.processes.pool import Pool
from facesieve.processes.worker_slot import Ended, Limits, WorkerSlot
from facesieve.service.admission import Admission
from facesieve.service.log import Log
from facesieve.service.metrics import Metrics
from facesieve.service.worker import run_worker
from facesieve.settings import ServiceSettings, Settings


class WorkerPool:
    """The worker processes, which take pictures from the queue of the admission."""

    def __init__(
        self, pictures: Settings, settings: ServiceSettings, admission: Admission, metrics: Metrics, log: Log
    ) -> None:
        self._log = log
        self._metrics = metrics
        self._began = asyncio.Event()
        self._failure: FacesieveError | None = None
        self._alive = 0
        self._count = admission.slots
        self._failing = False
        start = partial(Child, spawned, run_worker, pictures, settings.niceness)
        limits = Limits(settings.start_timeout, settings.grace)
        self._pool = Pool(admission.slots, start, admission.queue, limits, self)

    def start(self) -> None:
        """Start the workers; they become ready one by one."""
        self._pool.start()

    @property
    def alive(self) -> int:
        """Worker slots whose process has started and not ended."""
        return self._alive

    @property
    def can_serve(self) -> bool:
        """Whether requests can be served: a worker is alive, or one that was alive is being replaced."""
        return self._alive > 0 or (self._began.is_set() and not self._failing)

    async def wait_ready(self) -> None:
        """Wait until the first worker is ready. Raises the FacesieveError with which a worker failed to start."""
        await self._began.wait()
        if self._failure:
            raise self._failure

    def close(self) -> None:
        """Kill all workers. The pictures that they process are lost."""
        self._pool.close()

    # called by slots

    def changed(self, slot: WorkerSlot) -> None:
        alive = self._pool.alive
        if alive == self._alive:
            return
        if not alive:
            self._log.error(
                "no_worker", message="No worker process is alive; /readyz answers 503 until one has started."
            )
        elif not self._alive:
            self._log.info("ready", workers_ready=alive, workers=self._count)
            self._began.set()
        self._alive, self._failing = alive, False

    def died(self, slot: WorkerSlot, ended: Ended) -> None:
        self._metrics.replaced.labels(ended.value).inc()
        message = "A worker process has ended; another one is started."
        self._log.seldom("worker_ended", 10, message=message, reason=ended.value)

    def not_started(self, slot: WorkerSlot, error: Exception, again: float) -> None:
        self._metrics.failed_starts.inc()
        self._failing = True
        message = str(error) or "The worker process ended while it was starting."
        self._log.warning("worker_start_failed", message=message, type=type(error).__name__, again_seconds=again)
        if isinstance(error, FacesieveError) and not self._began.is_set():
            self._failure = error
            self._began.set()

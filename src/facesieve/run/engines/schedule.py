"""Assigns shards to workers, and handles the shards of workers that crashed or hung.

When a worker dies, another worker runs its shard again. When that one dies too, the shard is split in halves until the
bad picture is alone, and that picture is refused. The death of a whole machine is not the fault of a picture and does
not count. A worker that reports nothing for `picture_timeout` seconds is killed, and the picture that it had started
last is tried once more, alone. (`concurrent.futures` cannot do this: one dead child breaks its pool.)
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import count

from facesieve.errors import FacesieveError, WorkerError
from facesieve.processes.child import ChildDied
from facesieve.records import RefusalCode, Source
from facesieve.run.engines.worker import Crew, PictureStarted, Task, Worker
from facesieve.run.plan import Shard
from facesieve.run.progress import Tally
from facesieve.run.shard import ShardRunner

_FAILED_STARTS = 5  # in a row and per wanted worker; after that the build goes on with fewer workers
_PAUSE = 0.2  # seconds before the next try to start a worker when the system has no room for one
_COMMIT = 10  # times picture_timeout: the limit for writing a shard durably


class Schedule:
    """The workers of one build and the shards that wait for them."""

    def __init__(self, shards: Sequence[Shard], runner: ShardRunner, crew: Crew, workers: int) -> None:
        self._runner = runner
        self._crew = crew
        self._waiting = deque(Task(shard) for shard in shards)
        self._new_numbers = count(max((shard.number for shard in shards), default=0) + 1)
        self._workers: list[Worker] = []
        self._failed_starts = 0
        self._undelivered = 0
        self._max_failures = _FAILED_STARTS * workers
        self._wanted = min(workers, len(self._waiting))

    def tallies(self) -> Iterator[Tally]:
        """Do all shards. Yields the counts of pictures as they are reported, and negative ones for work that was lost.

        Raises the FacesieveError of a worker, and WorkerError when no worker can be started.
        """
        self._start_workers()
        while self._workers:
            for worker in self._crew.wait(self._workers, self._seconds_to_wait()):
                yield from self._receive(worker)
            for worker in list(self._workers):
                if self._seconds_left(worker) <= 0 and not worker.timed_out:
                    worker.timed_out = True
                    worker.child.kill()  # the next `wait` reports it
            self._start_workers()

    def close(self) -> None:
        """Kill all workers, whatever they are doing."""
        for worker in self._workers:
            worker.child.kill()
        for worker in self._workers:
            worker.child.close()
        self._workers.clear()

    def _start_workers(self) -> None:
        """Start workers until there is one for every shard that is left, or as many as are wanted."""
        while len(self._workers) < min(self._wanted, len(self._waiting) + self._busy()):
            if self._failed_starts >= self._max_failures:
                break
            try:
                self._workers.append(self._crew.start())
            except OSError:
                self._failed_starts += 1
                if self._workers:
                    break  # a worker that ends may free what was missing
                time.sleep(_PAUSE)
        if self._waiting and not self._workers:
            raise WorkerError("no_worker", self._crew.without_workers)

    def _busy(self) -> int:
        return sum(worker.task is not None for worker in self._workers)

    def _receive(self, worker: Worker) -> Iterator[Tally]:
        """Receive one report of a worker, or find that it has died."""
        try:
            if not worker.ready:
                worker.child.wait_ready()
                worker.ready, self._failed_starts = True, 0
                self._send_next(worker)
                return
            reply = worker.child.receive()
            worker.last_report = time.monotonic()
            match reply.value:
                case Tally() as tally:
                    worker.counts += tally
                    yield tally
                case PictureStarted(index):
                    worker.picture = index
                case FacesieveError() as error:
                    raise error
            if reply.last:
                self._send_next(worker)
        except ChildDied as death:
            self._remove(worker)
            yield -worker.counts
            if worker.task is None:
                self._failed_starts += 1
            elif (committed := self._runner.committed(worker.task.shard)) is not None:  # only its last report is lost
                yield committed
            elif not death.delivered and self._undelivered < self._max_failures:
                self._undelivered += 1
                self._waiting.appendleft(worker.task)
            else:
                yield from self._retry(worker, worker.task)

    def _send_next(self, worker: Worker) -> None:
        """Send the next shard to a worker, or end the worker when no shard is left."""
        worker.task = None
        if self._waiting:
            worker.send(self._waiting.popleft(), self._runner.settings.picture_timeout)
        else:
            self._remove(worker)

    def _remove(self, worker: Worker) -> None:
        self._workers.remove(worker)
        worker.child.close()

    def _retry(self, worker: Worker, task: Task) -> Iterator[Tally]:
        """After a worker died during a task: queue the task again, split it, or refuse its only picture."""
        sources = task.shard.sources
        if worker.timed_out and worker.is_committing:
            if task.attempts == 1:
                raise WorkerError(
                    "slow_disk",
                    "Writing results took too long, twice. Check the disk of the dataset and run the same build again.",
                )
            self._waiting.appendleft(Task(task.shard, task.attempts - 1))
        elif len(sources) > 1 and worker.timed_out:
            suspect = sources[worker.picture : worker.picture + 1]
            self._add(sources[: worker.picture] + sources[worker.picture + 1 :], attempts=2)
            self._add(suspect, attempts=1)
        elif task.attempts > 1:
            self._waiting.appendleft(Task(task.shard, task.attempts - 1))
        elif len(sources) == 1:
            code = RefusalCode.TOO_SLOW if worker.timed_out else RefusalCode.CRASHED
            yield from self._runner.refuse(task.shard, code)
        else:
            middle = len(sources) // 2
            for half in (sources[middle:], sources[:middle]):
                self._add(half, attempts=1 if len(half) > 1 else 2)

    def _add(self, sources: Sequence[Source], attempts: int) -> None:
        """Make a new shard of some sources; it is the next to be done."""
        self._waiting.appendleft(Task(Shard(next(self._new_numbers), tuple(sources)), attempts))

    def _seconds_left(self, worker: Worker) -> float:
        """Seconds until the worker has reported nothing for too long."""
        settings = self._runner.settings
        limit = settings.picture_timeout if worker.ready else settings.start_timeout
        if worker.is_committing:
            limit *= _COMMIT
        return worker.last_report + limit - time.monotonic()

    def _seconds_to_wait(self) -> float:
        """Seconds to wait for the next report of any worker."""
        return max(
            0.0, min((self._seconds_left(worker) for worker in self._workers if not worker.timed_out), default=1)
        )

"""Worker processes: each does one shard after another, and may die or hang without ending the build.

A shard whose worker died is done again by another worker. If that one dies too, the shard is split in halves until the
bad picture is alone, and that picture is refused. A worker that says nothing for `picture_timeout` seconds is killed,
and the picture it had begun last is tried once more, alone. (`concurrent.futures` has nothing like this: one dead
child breaks its pool.)
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any

import cv2
import pyarrow as pa

from facesieve.errors import FacesieveError, WorkerError
from facesieve.processes.child import Child, ChildDied
from facesieve.processes.forkserver import forked
from facesieve.processes.protocol import Answer, Say, serve
from facesieve.records import RefusalCode, Source
from facesieve.run.plan import PRELOAD, Shard
from facesieve.run.progress import Tally
from facesieve.run.shard import Streams, Work

Start = Callable[[], Streams]

_FAILED_STARTS = 5  # in a row, for each worker wanted; after that the build goes on with fewer
_PAUSE = 0.2  # seconds before the next try to start a worker where the system has no room for one
_COMMIT = 10  # picture_timeout times this for writing a shard durably

# For its first array pyarrow imports pandas, where it is installed: here, once for all workers that are forked.
pa.array([])


@dataclass(frozen=True, slots=True)
class Begun:
    """A worker says that it begins to read the picture at this place of its shard."""

    place: int


@dataclass(frozen=True, slots=True)
class Task:
    """A shard, and how many workers it may still cost."""

    shard: Shard
    chances: int = 2


@dataclass(slots=True, eq=False)
class Worker:
    """A child, and what is known of its work. counted: what it has said of its task so far; lost if it dies.

    heard: when it said something last, or was given its task. begun: the place of the picture that it began last.
    """

    child: Child
    heard: float = field(default_factory=time.monotonic)
    ready: bool = False
    slow: bool = False
    task: Task | None = None
    counted: Tally = field(default_factory=Tally)
    begun: int = 0

    def begin(self, task: Task, patience: float) -> None:
        """Send a task. A worker that does not take it within `patience` seconds is killed. Raises ChildDied."""
        self.task, self.counted, self.begun, self.heard = task, Tally(), 0, time.monotonic()
        # A stopped process reads nothing, and a shard of long paths does not fit into the pipe.
        alarm = threading.Timer(patience, self.child.kill)
        alarm.daemon = True  # a signal may come while it starts, and the end of the process must not wait for it
        try:
            alarm.start()
            self.child.ask(task.shard)
        finally:
            alarm.cancel()

    @property
    def writes(self) -> bool:
        """Whether all pictures of its task are done, so that only the disk is left to wait for."""
        return self.task is not None and self.counted.done == len(self.task.shard.sources)


class Pool:
    """The workers of one build and the shards that wait for them."""

    def __init__(self, shards: Sequence[Shard], work: Work, start: Start, workers: int) -> None:
        self._work = work
        self._start = start
        self._waiting = deque(Task(shard) for shard in shards)
        self._numbers = count(max((shard.number for shard in shards), default=0) + 1)
        self._crew: list[Worker] = []
        self._failed = 0
        self._undelivered = 0
        self._most_failed = _FAILED_STARTS * workers
        self._wanted = min(workers, len(self._waiting))

    def tallies(self) -> Iterator[Tally]:
        """Do all shards; counts of pictures as they come up, and negative ones for work that was lost."""
        self._recruit()
        while self._crew:
            spoken = wait([worker.child.pipe for worker in self._crew], self._patience())
            for worker in [worker for worker in self._crew if worker.child.pipe in spoken]:
                yield from self._hear(worker)
            for worker in list(self._crew):
                if self._left(worker) <= 0 and not worker.slow:
                    worker.slow = True
                    worker.child.kill()  # its pipe says so next
            self._recruit()

    def end(self) -> None:
        """Kill all workers, whatever they do."""
        for worker in self._crew:
            worker.child.kill()
        for worker in self._crew:
            worker.child.close()
        self._crew.clear()

    def _recruit(self) -> None:
        """Start workers until there are as many as there is work for."""
        while len(self._crew) < min(self._wanted, len(self._waiting) + self._at_work()):
            if self._failed >= self._most_failed:
                break
            try:
                begin = partial(_begin, self._work.settings.start_timeout)
                self._crew.append(Worker(Child(begin, _work, self._work, self._start)))
            except OSError:
                self._failed += 1
                if self._crew:
                    break  # what is at work may free what was missing
                time.sleep(_PAUSE)
        if self._waiting and not self._crew:
            raise WorkerError("no_worker", "No worker process could be started; --workers 1 works without them.")

    def _at_work(self) -> int:
        return sum(worker.task is not None for worker in self._crew)

    def _hear(self, worker: Worker) -> Iterator[Tally]:
        try:
            if not worker.ready:
                worker.child.wait_ready()
                worker.ready, self._failed = True, 0
                self._next(worker)
                return
            reply = worker.child.receive()
            worker.heard = time.monotonic()
            match reply.value:
                case Tally() as tally:
                    worker.counted += tally
                    yield tally
                case Begun(place):
                    worker.begun = place
                case FacesieveError() as error:
                    raise error
            if reply.last:
                self._next(worker)
        except ChildDied as death:
            self._dismiss(worker)
            yield -worker.counted
            if worker.task is None:
                self._failed += 1
            elif not death.delivered and self._undelivered < self._most_failed:
                self._undelivered += 1
                self._waiting.appendleft(worker.task)
            else:
                yield from self._lost(worker, worker.task)

    def _next(self, worker: Worker) -> None:
        """The next shard for a worker, or its dismissal."""
        worker.task = None
        if self._waiting:
            worker.begin(self._waiting.popleft(), self._work.settings.picture_timeout)
        else:
            self._dismiss(worker)

    def _dismiss(self, worker: Worker) -> None:
        self._crew.remove(worker)
        worker.child.close()

    def _lost(self, worker: Worker, task: Task) -> Iterator[Tally]:
        """A task cost a worker: try again, try smaller shards, or refuse its only picture."""
        sources = task.shard.sources
        if worker.slow and worker.writes:
            if task.chances == 1:
                message = "Writing results took too long, twice. Check the disk of the dataset, then run the same."
                raise WorkerError("slow_disk", message)
            self._waiting.appendleft(Task(task.shard, task.chances - 1))
        elif len(sources) > 1 and worker.slow:
            suspect = sources[worker.begun : worker.begun + 1]
            self._again(sources[: worker.begun] + sources[worker.begun + 1 :], chances=2)
            self._again(suspect, chances=1)
        elif task.chances > 1:
            self._waiting.appendleft(Task(task.shard, task.chances - 1))
        elif len(sources) == 1:
            yield from self._work.refuse(task.shard, RefusalCode.TOO_SLOW if worker.slow else RefusalCode.CRASHED)
        else:
            middle = len(sources) // 2
            for half in (sources[middle:], sources[:middle]):
                self._again(half, chances=1 if len(half) > 1 else 2)

    def _again(self, sources: Sequence[Source], chances: int) -> None:
        self._waiting.appendleft(Task(Shard(next(self._numbers), tuple(sources)), chances))

    def _left(self, worker: Worker) -> float:
        """Seconds until the worker has been silent for too long."""
        settings = self._work.settings
        limit = settings.picture_timeout if worker.ready else settings.start_timeout
        if worker.writes:
            limit *= _COMMIT
        return worker.heard + limit - time.monotonic()

    def _patience(self) -> float:
        """Seconds to wait for the next word of any worker."""
        return max(0.0, min((self._left(worker) for worker in self._crew if not worker.slow), default=1.0))


def share(shards: Sequence[Shard], work: Work, start: Start, workers: int) -> Iterator[Tally]:
    """Do the shards in so many processes, each with a pipeline of its own; yields counts as they come up.

    Counts of work that was lost are taken back. Raises what a worker raises on purpose (FacesieveError), and
    WorkerError when no worker can be started. However this generator ends, no worker outlives it.
    """
    pool = Pool(shards, work, start, workers)
    try:
        yield from pool.tallies()
    finally:
        pool.end()


def _begin(patience: float, target: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Start a worker that does not run the caller's script again, as `multiprocessing` would have it do."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        return forked(PRELOAD, target, *arguments, patience=patience)
    finally:
        sys.modules["__main__"] = main


def _work(pipe: Connection, work: Work, start: Start) -> None:
    """The life of a worker process."""

    def prepare() -> Answer:
        cv2.setNumThreads(work.settings.threads)
        pipeline = start()

        def do(shard: Shard, _: bytes, say: Say) -> None:
            for tally in work.do(shard, pipeline, lambda place: say(Begun(place))):
                say(tally)

        return do

    serve(pipe, prepare)

"""Worker processes: each does one shard after another, and may die without taking the build along.

A shard whose worker died is done once more by a fresh one. One that kills again is halved, until the picture that
does it stands alone and is refused. (`concurrent.futures` offers no such thing: one dead child breaks its pool.)
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import count
from multiprocessing.connection import Connection, wait
from typing import cast

import cv2
import pyarrow as pa

from facesieve.errors import FacesieveError, WorkerError
from facesieve.records import RefusalCode
from facesieve.run.nursery import begin
from facesieve.run.plan import Shard
from facesieve.run.progress import Tally
from facesieve.run.shard import Streams, Work

Start = Callable[[], Streams]

# For its first array pyarrow imports pandas, where there is one: here, once for all workers that are forked.
pa.array([])


class Signal(Enum):
    """What a worker says besides counts and errors. DIED is said for it, when its end of the pipe is gone."""

    READY = "ready"
    DIED = "died"


Said = Signal | Tally | FacesieveError


@dataclass(frozen=True, slots=True)
class Task:
    """A shard, and how many workers it may still cost."""

    shard: Shard
    chances: int = 2


class Worker:
    """One worker process, seen from the build. task: what it is at; counted: what it has said of that so far."""

    def __init__(self, work: Work, start: Start) -> None:
        self.pipe, theirs = multiprocessing.Pipe()
        self.task: Task | None = None
        self.counted = Tally()
        self._process = begin(_serve, theirs, work, start)
        theirs.close()

    def give(self, task: Task) -> None:
        self.task, self.counted = task, Tally()
        with contextlib.suppress(OSError):  # it died just now: the next `hear` says so
            self.pipe.send(task.shard)

    def hear(self) -> Said:
        try:
            return cast(Said, self.pipe.recv())
        except (EOFError, OSError):
            return Signal.DIED

    def dismiss(self) -> None:
        """Nothing is left to do; its process ends by itself."""
        self.pipe.close()

    def end(self) -> None:
        """At once, whatever it is doing."""
        self._process.kill()
        self._process.join()


def share(shards: Sequence[Shard], work: Work, start: Start, workers: int) -> Iterator[Tally]:
    """Do the shards in so many processes, each with a pipeline of its own; gives counts as they come up.

    Counts of work that was lost are taken back. Raises what a worker raises on purpose (FacesieveError), and
    WorkerError when a worker ends before it has begun. However this generator ends, no worker outlives it.
    """
    waiting = deque(Task(shard) for shard in shards)
    numbers = count(max((shard.number for shard in shards), default=0) + 1)
    crew = [Worker(work, start) for _ in range(min(workers, len(waiting)))]
    everyone = list(crew)
    try:
        while crew:
            for worker in _speaking(crew):
                match worker.hear():
                    case Signal.READY if waiting:
                        worker.give(waiting.popleft())
                    case Signal.READY:
                        crew.remove(worker)
                        worker.dismiss()
                    case Signal.DIED:
                        crew.remove(worker)
                        yield -worker.counted
                        yield from _bury(_lost(worker), waiting, numbers, work)
                        if waiting:
                            crew.append(Worker(work, start))
                            everyone.append(crew[-1])
                    case Tally() as tally:
                        worker.counted += tally
                        yield tally
                    case FacesieveError() as error:
                        raise error
    finally:
        for worker in everyone:
            worker.end()


def _speaking(crew: Sequence[Worker]) -> list[Worker]:
    """The workers that have something to say, once one has."""
    ready = wait([worker.pipe for worker in crew])
    return [worker for worker in crew if worker.pipe in ready]


def _lost(worker: Worker) -> Task:
    if worker.task is None:
        raise WorkerError("no_worker", "A worker process ended before it began; --workers 1 works without them.")
    return worker.task


def _bury(task: Task, waiting: deque[Task], numbers: Iterator[int], work: Work) -> Iterator[Tally]:
    """What becomes of a task that cost a worker: another try, two halves, or the refusal of its only picture."""
    sources = task.shard.sources
    if task.chances > 1:
        waiting.appendleft(Task(task.shard, task.chances - 1))
    elif len(sources) == 1:
        yield from work.refuse(task.shard, RefusalCode.CRASHED)
    else:
        middle = len(sources) // 2
        for half in (sources[middle:], sources[:middle]):
            waiting.appendleft(Task(Shard(next(numbers), half), chances=1 if len(half) > 1 else 2))


def _serve(pipe: Connection, work: Work, start: Start) -> None:
    """A worker's life: shards in; counts, and errors made on purpose, out. Any other exception is its death."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where it cannot be masked
    threading.Thread(target=_end_with_the_build, daemon=True).start()
    cv2.setNumThreads(work.settings.threads)
    try:
        pipeline = start()
        while True:
            pipe.send(Signal.READY)
            for tally in work.do(pipe.recv(), pipeline):
                pipe.send(tally)
    except FacesieveError as error:
        pipe.send(error)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the build has nothing more to do, or is gone


def _end_with_the_build() -> None:
    """The build's claim on the dataset ends with it, and so does the right to write there, even within a shard."""
    parent = multiprocessing.parent_process()
    assert parent
    parent.join()
    os._exit(1)

"""The workers of a build as their parent sees them, and the worker processes of the pool."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any, Protocol

import cv2
import pyarrow as pa

from facesieve.processes.child import Child
from facesieve.processes.forkserver import forked
from facesieve.processes.protocol import Handler, Reply, Send, run_child
from facesieve.run.engines.engine import MakePipeline
from facesieve.run.engines.pool import preload
from facesieve.run.plan import Shard
from facesieve.run.progress import Tally
from facesieve.run.shard import ShardRunner

# Creating the first array makes pyarrow import pandas, if it is installed and this is no process of the command. The
# fork server does it once for all workers.
pa.array([])


@dataclass(frozen=True, slots=True)
class PictureStarted:
    """A worker reports that it is about to read the picture at this index of its shard."""

    index: int


@dataclass(frozen=True, slots=True)
class Task:
    """A shard to do. attempts: how many workers may still fail on it before it is split or refused."""

    shard: Shard
    attempts: int = 2


class WorkerProcess(Protocol):
    """A process that does shards, on this machine or another. Its methods are those of `Child`."""

    def wait_ready(self) -> None: ...
    def send(self, value: Any, /) -> None: ...
    def receive(self) -> Reply: ...
    def kill(self) -> None: ...
    def close(self) -> None: ...


@dataclass(slots=True, eq=False)
class Worker:
    """A worker process and what it has reported.

    last_report: when it last reported something, or received its task. ready: whether it has started.
    timed_out: whether it was killed because it reported nothing for too long.
    counts: what it has reported of its task so far; this work is lost if it dies.
    picture: index of the picture that it started last.
    """

    child: WorkerProcess
    last_report: float = field(default_factory=time.monotonic)
    ready: bool = False
    timed_out: bool = False
    task: Task | None = None
    counts: Tally = field(default_factory=Tally)
    picture: int = 0

    def send(self, task: Task, timeout: float) -> None:
        """Send a task. A worker that does not receive it within `timeout` seconds is killed. Raises ChildDied."""
        self.task, self.counts, self.picture, self.last_report = task, Tally(), 0, time.monotonic()
        # A stopped process reads nothing, and a shard with long paths is larger than the buffer of the pipe.
        alarm = threading.Timer(timeout, self.child.kill)
        alarm.daemon = True  # a signal may come while it starts, and the end of the process must not wait for it
        try:
            alarm.start()
            self.child.send(task.shard)
        finally:
            alarm.cancel()

    @property
    def is_committing(self) -> bool:
        """Whether all pictures of its task are done, so that it only has to write the shard durably."""
        return self.task is not None and self.counts.done == len(self.task.shard.sources)


class Crew(Protocol):
    """Starts the workers of one build, and waits for their reports.

    without_workers: what to tell the user when no worker could be started, as a sentence.
    """

    @property
    def without_workers(self) -> str: ...

    def start(self) -> Worker:
        """Start a worker. Raises OSError when there is no room for another."""

    def wait(self, workers: Sequence[Worker], seconds: float) -> list[Worker]:
        """Wait until workers have a report or have died, at most some seconds. Returns these workers."""


@dataclass(frozen=True, slots=True)
class Processes:
    """Starts worker processes on this machine."""

    runner: ShardRunner
    make_pipeline: MakePipeline
    without_workers: str = "No worker process could be started. Use --workers 1 to build without worker processes."

    def start(self) -> Worker:
        """See `Crew.start`."""
        start = partial(_start_process, self.runner.settings.start_timeout)
        return Worker(Child(start, _run_shards, self.runner, self.make_pipeline))

    def wait(self, workers: Sequence[Worker], seconds: float) -> list[Worker]:
        """See `Crew.wait`."""
        by_pipe = {worker.child.pipe: worker for worker in workers if isinstance(worker.child, Child)}
        ready = wait(by_pipe, seconds)
        return [worker for pipe, worker in by_pipe.items() if pipe in ready]


def _start_process(patience: float, target: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Start a process that does not run the caller's script again, as `multiprocessing` would make it do."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        return forked(preload(), target, *arguments, patience=patience)
    finally:
        sys.modules["__main__"] = main


def _run_shards(pipe: Connection, runner: ShardRunner, make_pipeline: MakePipeline) -> None:
    """What runs in a worker process: build the pipeline, then do every shard that the parent sends."""

    def prepare() -> Handler:
        cv2.setNumThreads(runner.settings.threads)
        pipeline = make_pipeline()

        def run_shard(shard: Shard, _: bytes, send: Send) -> None:
            for tally in runner.run(shard, pipeline, lambda index: send(PictureStarted(index))):
                send(tally)

        return run_shard

    run_child(pipe, prepare)

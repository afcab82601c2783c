"""A worker process of the pool: its state in the parent process, and the code that runs in it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import ModuleType
from typing import Any

import cv2
import pyarrow as pa

from facesieve.processes.child import Child
from facesieve.processes.forkserver import forked
from facesieve.processes.protocol import Handler, Send, run_child
from facesieve.run.engines.engine import MakePipeline
from facesieve.run.engines.pool import PRELOAD
from facesieve.run.plan import Shard
from facesieve.run.progress import Tally
from facesieve.run.shard import ShardRunner

# Creating the first array makes pyarrow import pandas if it is installed. The fork server does it once for all workers.
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


@dataclass(slots=True, eq=False)
class Worker:
    """A child process and what it has reported.

    last_report: when it last reported something, or received its task. ready: whether it has started.
    timed_out: whether it was killed because it reported nothing for too long.
    counts: what it has reported of its task so far; this work is lost if it dies.
    picture: index of the picture that it started last.
    """

    child: Child
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


def start_worker(runner: ShardRunner, make_pipeline: MakePipeline) -> Worker:
    """Start a worker process. Raises OSError when the system has no room for another process."""
    start = partial(_start_process, runner.settings.start_timeout)
    return Worker(Child(start, _run_shards, runner, make_pipeline))


def _start_process(patience: float, target: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Start a process that does not run the caller's script again, as `multiprocessing` would make it do."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        return forked(PRELOAD, target, *arguments, patience=patience)
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

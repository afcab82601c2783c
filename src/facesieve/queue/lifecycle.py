"""The life cycle of a queue worker: connect, work, and after SIGTERM finish the jobs that have begun."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path
from uuid import uuid4

import prometheus_client

from facesieve.errors import UsageError
from facesieve.processes.cores import cores
from facesieve.queue.connection import connect, without_password
from facesieve.queue.counts import JobCounts
from facesieve.queue.entries import Entries, Names
from facesieve.queue.jobs import job_of
from facesieve.queue.redis_list import ListEntries, job_of_item
from facesieve.queue.worker import QueueWorker
from facesieve.queue.worker_processes import WorkerProcesses
from facesieve.settings import QueueSettings, Settings
from facesieve.sieve import Policy
from facesieve.sources.remote.fetch import Fetcher


async def work(
    url: str,
    names: Names,
    settings: Settings,
    queue: QueueSettings,
    policy: Policy,
    paths: Path | None,
    drain: bool,
    listed: bool,
    announce: Callable[[str], None],
) -> JobCounts:
    """Work on jobs until SIGTERM or SIGINT, or with `drain` until there are none. A second signal ends it at once.

    listed: `names.stream` is a plain list of `name@url`. paths: the folder that jobs may name files in, or None.
    announce: called with lines for the operator.
    Raises UsageError for a URL that is not an address of Redis and for what Redis refuses, and the error with which the
    worker processes failed to start.
    """
    redis = connect(url)
    counts = JobCounts()
    if queue.metrics_port:
        try:
            prometheus_client.start_http_server(queue.metrics_port, registry=counts.registry)
        except OSError as error:
            message = f"Metrics cannot be served on port {queue.metrics_port}: {error.strerror}; set metrics_port."
            raise UsageError("no_metrics_port", message) from error
    name = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}"
    kind, parse = (ListEntries, job_of_item) if listed else (Entries, partial(job_of, clips=queue.accept_video))
    entries = kind(redis, names, name, queue.lease, queue.result_expiry)
    settings = _with_clip_limits(settings, queue)
    processes = WorkerProcesses(cores() if settings.workers == "auto" else settings.workers, settings)
    fetcher = Fetcher(settings)
    worker = QueueWorker(
        entries, partial(parse, default=policy), processes, fetcher, settings, queue, paths, drain, announce, counts
    )
    _stop_on_signals(worker, announce)
    announce(f"{name} works on {names.stream} of {without_password(url)}.")
    try:
        await worker.run()
    finally:
        await processes.close()
        await redis.aclose()
    return worker.counts


def _with_clip_limits(settings: Settings, queue: QueueSettings) -> Settings:
    """The pipeline's settings with the queue's limits on clips. A clip may have as many bytes as a picture."""
    limits = {"max_clip_seconds": queue.max_video_seconds, "max_clip_frames": queue.max_video_frames}
    return settings.model_copy(update=limits)


def _stop_on_signals(worker: QueueWorker, announce: Callable[[str], None]) -> None:
    loop = asyncio.get_running_loop()
    asked = False

    def stop() -> None:
        nonlocal asked
        if asked:
            os._exit(1)
        asked = True
        announce("Stopping: jobs that have begun are finished, the others are returned.")
        worker.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)

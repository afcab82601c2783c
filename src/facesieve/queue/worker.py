"""A queue worker from start to stop: read jobs, fetch pictures, send them to processes, write results."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from facesieve.errors import Refused
from facesieve.processes.child import ChildDied
from facesieve.queue.counts import JobCounts
from facesieve.queue.entries import Entries, Entry
from facesieve.queue.jobs import BadJob, Job, path_within
from facesieve.queue.redis_list import ListEntries
from facesieve.queue.results import answered, refused
from facesieve.queue.retry import RetryUntilAnswered
from facesieve.queue.worker_processes import WorkerProcesses
from facesieve.records import RefusalCode
from facesieve.service.api_errors import ApiError, ErrorCode
from facesieve.service.text import picture_of_text, text_bytes
from facesieve.service.time_slices import TimeSlices
from facesieve.service.worker import PictureReply
from facesieve.settings import QueueSettings, Settings
from facesieve.sources.openers import open_file
from facesieve.sources.remote.fetch import Fetcher

# A job is dead after this many times `executions` deaths of workers. The limit is higher than for deaths of processes,
# because a worker process that dies is counted by its worker, and a worker itself rarely dies because of a job.
_WORKERS = 3
_BLOCK = 1.0  # seconds that Redis is asked to wait for a new job
_LAST = 5.0  # seconds that a stopping worker waits for a Redis that is away
_FULL = 1.0  # seconds until the length of the results is looked at again


@dataclass(slots=True)
class QueueWorker:
    """One worker of the queue. Build and run it in one event loop.

    parse: a job from the bytes of an entry; it raises BadJob. paths: the folder that jobs may name files in, or None.
    drain: end when no job is left. announce: called with lines for the operator.
    """

    entries: Entries | ListEntries
    parse: Callable[[bytes], Job]
    processes: WorkerProcesses
    fetcher: Fetcher
    settings: Settings
    queue: QueueSettings
    paths: Path | None = None
    drain: bool = False
    announce: Callable[[str], None] = lambda line: None
    counts: JobCounts = field(default_factory=JobCounts)
    _held: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _begun: set[str] = field(default_factory=set)
    _failure: BaseException | None = None
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _retry: RetryUntilAnswered = field(init=False)
    _time_slices: TimeSlices = field(default_factory=TimeSlices)

    def __post_init__(self) -> None:
        self._retry = RetryUntilAnswered(self.entries.prepare, self.announce)

    def stop(self) -> None:
        """Read no more jobs, finish what has begun, return the rest, and let `run` end."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until `stop`, or with `drain` until no job is left.

        Raises the error with which the processes failed to start, and UsageError `queue_refused`.
        """
        stopping = asyncio.create_task(self._stopping.wait())
        preparing = asyncio.create_task(self._prepare())
        await asyncio.wait([preparing, stopping], return_when=asyncio.FIRST_COMPLETED)
        if not preparing.done():
            preparing.cancel()
            return
        await preparing
        claiming, renewing = asyncio.create_task(self._claim()), asyncio.create_task(self._renew())
        reading = asyncio.create_task(self._read())
        try:
            await asyncio.wait([reading, stopping, claiming, renewing], return_when=asyncio.FIRST_COMPLETED)
            claiming.cancel()
            # If it were cancelled, entries that it has just read would be lost to this worker.
            await asyncio.wait([reading], timeout=_BLOCK + 1)
            await self._finish_begun()
        finally:
            for task in (reading, stopping, claiming, renewing, *self._held.values()):
                task.cancel()
        for task in (reading, claiming, renewing):
            if task.done() and not task.cancelled() and (error := task.exception()):
                raise error
        if self._failure:
            raise self._failure
        await self._in_time(self.entries.leave)

    async def _prepare(self) -> None:
        await self._retry(self.entries.prepare)
        await self.processes.wait_ready()

    async def _read(self) -> None:
        while not self._stopping.is_set():
            jobs, results = await self._retry(self.entries.lengths)
            if self.drain and not jobs and not self._held:
                return
            room = self.queue.batch - len(self._held)
            if results >= self.queue.max_results or room <= 0:
                await self._wait_for_change(_FULL)
                continue
            for entry in await self._retry(partial(self.entries.read, room, _BLOCK)):
                self._begin(entry)

    async def _claim(self) -> None:
        """Take over the entries of dead workers one by one, so that a job that kills workers delays no other."""
        while True:
            entry = await self._retry(self.entries.claim)
            if entry is None:
                await asyncio.sleep(self.queue.lease / 4)
            elif entry.is_spent(self.queue.executions * _WORKERS):
                await self._bury(entry, "worker_died")
            elif entry.id not in self._held:
                await asyncio.wait([self._begin(entry)])

    async def _renew(self) -> None:
        """Renew the leases of the held entries, and stop working on entries that another worker has claimed."""
        while True:
            await asyncio.sleep(self.queue.lease / 3)
            for id in await self._retry(lambda: self.entries.renew(list(self._held))):
                if task := self._held.get(id):
                    task.cancel()

    async def _finish_begun(self) -> None:
        waiting = [id for id in self._held if id not in self._begun]
        for id in waiting:
            self._held[id].cancel()
        await self._in_time(lambda: self.entries.give_back(waiting))
        if left := [task for id, task in self._held.items() if id in self._begun]:
            await asyncio.wait(left)

    async def _in_time(self, call: Callable[[], Awaitable[None]]) -> None:
        """Make a call, but give up after a while: the leases of what this worker holds run out anyway."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST):
                await self._retry(call)

    def _begin(self, entry: Entry) -> asyncio.Task[None]:
        task = self._held[entry.id] = asyncio.create_task(self._process(entry))
        self.counts.held.set(len(self._held))
        task.add_done_callback(partial(self._forget, entry.id))
        return task

    def _forget(self, id: str, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            self._failure = error
            self.stop()
        self._held.pop(id, None)
        self._begun.discard(id)
        self.counts.held.set(len(self._held))

    async def _process(self, entry: Entry) -> None:
        """Process one job, from its entry to its result."""
        id = entry.id
        try:
            job = self.parse(entry.job)
            id = job.id or id
            reply = await self._reply_to(entry, job, await self._bytes_of(job))
        except ApiError as error:
            reply = PictureReply(refusal=error.code, message=error.message)
        except BadJob as bad:
            id = bad.id or id
            reply = PictureReply(refusal=bad.code, message=bad.message)
        except Refused as why:
            reply = PictureReply(refusal=why.code.value, message=why.message or why.code.sentence)
        if reply is None:
            return
        if reply.refusal == ErrorCode.INTERNAL:
            self.announce(f"Job {id} failed inside:\n{reply.message}")
            reply = PictureReply(refusal=reply.refusal, message=ErrorCode.INTERNAL.sentence)
        if reply.refusal:
            result = refused(id, entry.id, reply.refusal, reply.message)
        else:
            result = answered(id, entry.id, reply.body)
        if await self._retry(lambda: self.entries.finish(entry, id, result)):
            self.counts.finish(reply.refusal)

    async def _bytes_of(self, job: Job) -> bytes:
        if job.kind == "url":
            return await self.fetcher.fetch(job.where)
        if job.kind == "path":
            return await asyncio.to_thread(
                _file_bytes, path_within(job.where, self.paths), self.settings.max_file_bytes
            )
        return await self._decoded(job.where)

    async def _decoded(self, text: str) -> bytes:
        """The picture of a job that holds it as text. Raises Refused `too_many_bytes`, ApiError `bad_base64`."""
        limit = self.settings.max_file_bytes
        if len(text) > text_bytes(limit):
            raise Refused(RefusalCode.TOO_MANY_BYTES)
        data = await picture_of_text(text.encode(), self._time_slices)
        if len(data) > limit:
            raise Refused(RefusalCode.TOO_MANY_BYTES)
        return data

    async def _reply_to(self, entry: Entry, job: Job, data: bytes) -> PictureReply | None:
        """The reply of a process; None if the job is buried, because it killed processes or took too long."""
        self._begun.add(entry.id)
        if entry.claimed:
            entry = await self._retry(partial(self.entries.take_again, entry))
        while True:
            try:
                return await self._process_once(job, data)
            except (ChildDied, TimeoutError) as death:
                code = RefusalCode.CRASHED if isinstance(death, ChildDied) else RefusalCode.TOO_SLOW
            if entry.taken >= self.queue.executions:
                await self._bury(entry, code.value)
                return None
            self.counts.begin_again()
            entry = await self._retry(partial(self.entries.take_again, entry))

    async def _process_once(self, job: Job, data: bytes) -> PictureReply:
        """The reply of a process. Raises ChildDied, and TimeoutError after `picture_timeout` seconds of work."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(None) as limit:
            delivered = lambda: limit.reschedule(loop.time() + self.settings.picture_timeout)  # noqa: E731
            reply: PictureReply = await self.processes.request(job.options, data, delivered)
            return reply

    async def _bury(self, entry: Entry, reason: str) -> None:
        if await self._retry(partial(self.entries.bury, entry, reason)):
            self.counts.bury()

    async def _wait_for_change(self, seconds: float) -> None:
        """Wait until a job is done, the worker stops, or the time is over."""
        stopping: asyncio.Future[Any] = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait([stopping, *self._held.values()], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()


def _file_bytes(path: Path, limit: int) -> bytes:
    """The bytes of a file. Raises Refused `unreadable`, `not_a_file`, `too_many_bytes`."""
    try:
        with open_file(path) as stream:
            data = stream.read(limit + 1)
    except (OSError, ValueError) as error:
        raise Refused(RefusalCode.UNREADABLE) from error
    if len(data) > limit:
        raise Refused(RefusalCode.TOO_MANY_BYTES)
    return data

"""A process that holds the pipeline, and the seat in the service that asks it and replaces it when it dies.

Pictures of strangers are decoded in a process that may die: it costs the one request and not the service.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import multiprocessing
import os
import signal
import time
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from facesieve.errors import FacesieveError
from facesieve.records import RefusalCode
from facesieve.service.answers import Wish, encoded, modern, reference, rejudged, without_pose
from facesieve.service.faults import Fault, FaultCode
from facesieve.settings import Settings

_AT_REST = 1.0  # seconds without work after which a worker gives memory back


@dataclass(frozen=True, slots=True)
class Reply:
    """What a worker says of one picture: JSON, or the code of a refusal; and the books.

    message: public; where the refusal is `internal` a traceback, for the log alone. reasons: rejected faces by reason.
    seconds: pipeline and crops.
    """

    body: bytes = b""
    refusal: str = ""
    message: str = ""
    faces: int = 0
    kept: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


class Worker:
    """One seat: a process that is started, asked, and started anew after its death.

    threads: where the waiting for pipes is done; at least one a seat.
    """

    def __init__(
        self, settings: Settings, threads: ThreadPoolExecutor, died: Callable[[], None], niceness: int = 0
    ) -> None:
        self._settings = settings
        self._niceness = niceness
        self._threads = threads
        self._died = died
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self._asked: asyncio.Future[Reply] | None = None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.is_alive()

    async def start(self) -> None:
        """Start the process, and wait until it is warm. Raises FacesieveError that the pipeline was built with."""
        await asyncio.get_running_loop().run_in_executor(self._threads, self._start)

    async def ask(self, image: bytes, wish: Wish) -> Reply:
        """The reply to one picture. Raises Fault `worker_died`. Cancelled, it leaves the process at work: `settle`."""
        if not self.alive:
            await self.start()
        loop = asyncio.get_running_loop()
        self._asked = loop.run_in_executor(self._threads, self._exchange, image, wish)
        return await asyncio.shield(self._asked)

    async def settle(self, grace: float) -> None:
        """Make the seat fit for the next request: wait `grace` seconds for work that was left, then kill it."""
        if self._asked is not None and not self._asked.done():
            await asyncio.wait([self._asked], timeout=grace)
            if not self._asked.done():
                self.kill()
                await asyncio.wait([self._asked])
        if self._asked is not None and not self._asked.cancelled():
            self._asked.exception()
        self._asked = None
        if not self.alive:
            await self.start()

    def kill(self) -> None:
        """End the process now, whatever it does."""
        if self._process is not None:
            self._process.kill()

    def _start(self) -> None:
        self._bury()
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=serve, args=(theirs, self._settings, self._niceness), daemon=True, name="facesieve"
        )
        self._process.start()
        theirs.close()
        try:
            failed: tuple[str, str] | None = self._pipe.recv()
        except EOFError:
            raise FacesieveError("worker_died", "A worker died while it was starting.") from None
        if failed is not None:
            raise FacesieveError(*failed)

    def _exchange(self, image: bytes, wish: Wish) -> Reply:
        assert self._pipe is not None
        try:
            self._pipe.send(wish)
            self._pipe.send_bytes(image)
            reply: Reply = self._pipe.recv()
        except (EOFError, OSError):
            self._bury()
            self._died()
            raise Fault(FaultCode.WORKER_DIED) from None
        return reply

    def _bury(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process.close()
        self._pipe = self._process = None


def deaf_threads(count: int) -> ThreadPoolExecutor:
    """Threads whose child processes do not hear SIGTERM and SIGINT: the service decides when a worker ends."""
    signals = {signal.SIGTERM, signal.SIGINT}
    return ThreadPoolExecutor(count, "worker", signal.pthread_sigmask, (signal.SIG_BLOCK, signals))


def serve(pipe: Connection, settings: Settings, niceness: int) -> None:
    """The life of a worker: build, warm, answer until the service hangs up. Runs in its own process."""
    os.nice(niceness)
    try:
        replies = Replies(settings)
    except FacesieveError as error:
        pipe.send((error.code, error.message))
        return
    pipe.send(None)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            if not pipe.poll(_AT_REST):
                _give_back_memory()
            wish = pipe.recv()
            pipe.send(replies.of(pipe.recv_bytes(), wish))


class Replies:
    """The pipeline, with and without pose, warm."""

    def __init__(self, settings: Settings) -> None:
        import cv2
        import numpy as np

        from facesieve.pipeline import Pipeline

        cv2.setNumThreads(settings.threads)
        self._settings = settings
        self._pipelines = {
            True: Pipeline(settings),
            False: Pipeline(settings.model_copy(update={"pose": "none"})),
        }
        noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
        for pipeline in self._pipelines.values():
            pipeline.process([noise])

    def of(self, image: bytes, wish: Wish) -> Reply:
        """The reply to one encoded picture. Raises nothing: what fails inside is a reply that says so."""
        started = time.perf_counter()
        try:
            return self._of(image, wish, started)
        except Exception:
            seconds = time.perf_counter() - started
            return Reply(refusal=FaultCode.INTERNAL.value, message=traceback.format_exc(), seconds=seconds)

    def _of(self, image: bytes, wish: Wish, started: float) -> Reply:
        [record] = self._pipelines[wish.pose].process([image])
        if record.photo is None:
            refusal = record.refusal
            code = refusal.code if refusal else RefusalCode.UNREADABLE
            return Reply(
                refusal=code, message=refusal.message if refusal else "", seconds=time.perf_counter() - started
            )
        faces = rejudged(record.faces, wish.policy if wish.pose else without_pose(wish.policy))
        seen = time.perf_counter()
        answer: Any
        if wish.form == "reference":
            answer = reference(record.photo, faces, self._settings)
        else:
            answer = modern(record.photo, faces, wish, self._settings, {"pipeline_ms": (seen - started) * 1e3})
        reasons = Counter(reason for face in faces for reason in face.verdict.reasons)
        kept = sum(face.verdict.kept for face in faces)
        body = encoded(answer)
        return Reply(body, "", "", len(faces), kept, dict(reasons), time.perf_counter() - started)


def _give_back_memory() -> None:
    """What past photos took and glibc keeps, some 40 MB; C libraries without this have nothing to do here."""
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)

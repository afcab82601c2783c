"""A slot holds one child process of an asyncio program: its owner task starts the child, uses it, and replaces it.

| state    | meaning                                          | next                                              |
|----------|--------------------------------------------------|---------------------------------------------------|
| starting | a child is starting                              | idle; dead if it fails or takes too long          |
| idle     | the child waits for a request                    | busy; starting if the child dies                  |
| busy     | the child works on a request                     | idle; starting if it dies; leaving                |
| leaving  | the client of the request has left               | idle if the reply comes in time; else starting    |
| dead     | the last start failed; the next one comes later  | starting                                          |

Each slot has one owner task, and only this task uses the child. Clients put a `PendingRequest` into a `RequestQueue`,
and an owner takes it. A client that leaves only cancels its own `PendingRequest.reply`, so it can neither interrupt the
start of a child nor receive the reply to another request.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from facesieve.processes.child import Child, ChildDied

Result = TypeVar("Result")


class State(StrEnum):
    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    LEAVING = "leaving"
    DEAD = "dead"


class Ended(StrEnum):
    """Why a child that had started has ended."""

    TIMED_OUT = "timed_out"  # by the slot, because it still worked after the deadline, or after its client had left
    KILLED = "killed"  # by SIGKILL, which the kernel sends when memory runs out
    CRASHED = "crashed"  # by another signal, such as SIGSEGV
    EXITED = "exited"


@dataclass(slots=True, eq=False)
class PendingRequest:
    """A request for any child. The owner that takes it sets `reply`, unless the client has cancelled it.

    data: bytes for the child; released when the child has received them. delivered: called at that moment.
    """

    value: Any
    data: bytes
    reply: asyncio.Future[Any]
    delivered: Callable[[], None] = lambda: None


class RequestQueue(Protocol):
    """The queue from which owners take requests."""

    async def take(self) -> PendingRequest:
        """Wait for the next request whose client has not left."""

    def put_back(self, request: PendingRequest, /) -> None:
        """Put a request back as the first of the queue, for another child."""


class SlotObserver(Protocol):
    """Receives the events of a slot."""

    def changed(self, slot: WorkerSlot) -> None:
        """Its state has changed."""

    def died(self, slot: WorkerSlot, ended: Ended) -> None:
        """A child that had started has ended or was killed."""

    def not_started(self, slot: WorkerSlot, error: Exception, again: float) -> None:
        """A start failed; the next one begins in `again` seconds."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits in seconds.

    start: how long one start may take. grace: how long a child may go on after the client of its request has left.
    first, longest: waits after failed starts; each is twice as long as the one before. short_life: a child that ends
    sooner counts as a failed start.
    """

    start: float = 60.0
    grace: float = 1.0
    first: float = 0.5
    longest: float = 60.0
    short_life: float = 0.2


class StartTimeout(Exception):  # noqa: N818 - an outcome
    """A child was not ready in time and was killed."""


class WorkerSlot:
    """One slot.

    start: starts a child and returns without waiting until it is ready. It runs in `threads`, like every wait for a
    pipe. threads: at least one for each slot, and used for nothing else.
    """

    def __init__(
        self,
        start: Callable[[], Child],
        requests: RequestQueue,
        threads: Executor,
        limits: Limits,
        observer: SlotObserver,
    ) -> None:
        self._start_child = start
        self._requests = requests
        self._threads = threads
        self._limits = limits
        self._observer = observer
        self._child: Child | None = None
        self._closing = asyncio.Event()
        self._state = State.DEAD
        self._timed_out = False

    @property
    def state(self) -> State:
        return self._state

    @property
    def alive(self) -> bool:
        """Whether a child has started and has not ended."""
        return self._state in (State.IDLE, State.BUSY, State.LEAVING)

    async def own(self) -> None:
        """Run the slot, as a task of its own, until `close` is called."""
        failed = 0
        while not self._closing.is_set():
            try:
                child = await self._started()
            except Exception as error:  # whatever the reason was, the next start may succeed
                await self._release()
                await self._wait_after_failure(error, failed)
                failed += 1
            else:
                began = asyncio.get_running_loop().time()
                await self._use(child)
                self._enter(State.DEAD)
                await self._release()
                if not self._closing.is_set():
                    self._observer.died(self, self._ended(child))
                failed = await self._slow_down(failed, asyncio.get_running_loop().time() - began)

    def close(self) -> None:
        """Kill the child and let `own` return. A client that still waits for a reply gets ChildDied."""
        self._closing.set()
        if self._child is not None:
            self._child.kill()

    async def _started(self) -> Child:
        self._enter(State.STARTING)
        self._child = child = await self._in_thread(self._start_child)
        if self._closing.is_set():  # `close` was called before this child existed
            child.kill()
        ready = self._in_thread(child.wait_ready)
        await asyncio.wait([ready], timeout=self._limits.start)
        if not ready.done():
            child.kill()
            await asyncio.wait([ready])
            ready.exception()
            raise StartTimeout(f"It was not ready within {self._limits.start:g} seconds.")
        await ready
        return child

    def _ended(self, child: Child) -> Ended:
        if self._timed_out:
            return Ended.TIMED_OUT
        code = child.exit_code or 0
        if code == -signal.SIGKILL:
            return Ended.KILLED
        return Ended.CRASHED if code < 0 else Ended.EXITED

    async def _slow_down(self, failed: int, lived: float) -> int:
        """Wait before the next start if the child ended soon. Returns how many did so in a row."""
        if lived >= self._limits.short_life or self._closing.is_set():
            return 0
        await self._pause(self._delay(failed))
        return failed + 1

    def _delay(self, failed: int) -> float:
        """Seconds to wait after a failure. failed: how many failures in a row came before it."""
        return min(self._limits.first * 2.0 ** min(failed, 30), self._limits.longest)

    async def _pause(self, seconds: float) -> None:
        """Wait for some seconds, or until the slot is closed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()

    async def _wait_after_failure(self, error: Exception, failed: int) -> None:
        self._enter(State.DEAD)
        if self._closing.is_set():
            return
        again = self._delay(failed)
        self._observer.not_started(self, error, again)
        await self._pause(again)

    async def _use(self, child: Child) -> None:
        """Send one request after another to the child until it has ended."""
        loop = asyncio.get_running_loop()
        died: asyncio.Future[None] = loop.create_future()
        self._timed_out = False
        loop.add_reader(child.sentinel, _set_done, died)
        try:
            while True:
                self._enter(State.IDLE)
                request = await self._next(died)
                if request is None:
                    return
                self._enter(State.BUSY)
                if not await self._exchange(child, request):
                    return
        finally:
            loop.remove_reader(child.sentinel)

    async def _next(self, died: asyncio.Future[None]) -> PendingRequest | None:
        """Wait for the next request. Returns None when the child has ended or the slot is closed."""
        taking = asyncio.ensure_future(self._requests.take())
        closing = asyncio.ensure_future(self._closing.wait())
        events: set[asyncio.Future[Any]] = {taking, died, closing}
        try:
            await asyncio.wait(events, return_when=asyncio.FIRST_COMPLETED)
        finally:
            taking.cancel()
            closing.cancel()
            await asyncio.wait([taking, closing])
        ended = died.done() or self._closing.is_set()
        if taking.cancelled():
            return None
        if ended:
            self._requests.put_back(taking.result())
            return None
        return taking.result()

    async def _exchange(self, child: Child, request: PendingRequest) -> bool:
        """Send a request and pass on the reply. Returns whether the child can be used again."""
        try:
            await self._watched(child, request, self._in_thread(child.send, request.value, request.data))
            request.data = b""
            request.delivered()
            reply = await self._watched(child, request, self._in_thread(child.receive))
        except ChildDied as death:
            if not death.delivered and not request.reply.done() and not self._closing.is_set():
                self._requests.put_back(request)
            elif not request.reply.done():
                # A new exception, because the other one refers to frames that hold the picture.
                request.reply.set_exception(ChildDied())
            return False
        if not request.reply.done():
            request.reply.set_result(reply.value)
        return True

    async def _watched(self, child: Child, request: PendingRequest, step: asyncio.Future[Result]) -> Result:
        """Wait for a step and return its result.

        If the client leaves first, the step gets `grace` more seconds, and then the child is killed.
        """
        either: set[asyncio.Future[Any]] = {step, request.reply}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not step.done():
            self._enter(State.LEAVING)
            await asyncio.wait([step], timeout=self._limits.grace)
        if not step.done():
            self._timed_out = True
            child.kill()
        return await step

    async def _release(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            await self._in_thread(child.close)

    def _in_thread(self, call: Callable[..., Result], *arguments: Any) -> asyncio.Future[Result]:
        return asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments)

    def _enter(self, state: State) -> None:
        if state != self._state:
            self._state = state
            self._observer.changed(self)


def _set_done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)

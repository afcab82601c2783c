"""A place for one child process in an asyncio program: its owner starts the child, asks it, and replaces it.

| state    | meaning                                          | next                                              |
|----------|--------------------------------------------------|---------------------------------------------------|
| starting | a child is starting                              | idle; dead if it fails or takes too long          |
| idle     | the child waits for a question                   | busy; starting if the child dies                  |
| busy     | the child works on a question                    | idle; starting if it dies; leaving                |
| leaving  | nobody waits for the reply any more              | idle if it comes in time; else killed, starting   |
| dead     | the last start failed; the next is due later     | starting                                          |

Only the owner, one task for each seat, touches the child. Clients put an `Ask` where the owner takes it from. A client
that leaves cancels its own `Ask.reply` and nothing else, so it can neither end a start nor share a pipe with another.
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

    TIMED_OUT = "timed_out"  # the seat killed it: it worked on when nobody waited for the reply any more
    KILLED = "killed"  # by SIGKILL, which the kernel sends when memory runs out
    CRASHED = "crashed"  # by another signal, such as SIGSEGV
    EXITED = "exited"


@dataclass(slots=True, eq=False)
class Ask:
    """A question for any child. The owner that takes it sets `reply`, unless its client has cancelled it.

    data: bytes for the child; released as soon as the child has them. delivered: called at that moment.
    """

    value: Any
    data: bytes
    reply: asyncio.Future[Any]
    delivered: Callable[[], None] = lambda: None


class Asks(Protocol):
    """Where owners take questions from."""

    async def take(self) -> Ask:
        """The next question whose client still waits."""

    def put_back(self, ask: Ask) -> None:
        """Let another child have it, before all others."""


class Events(Protocol):
    """What a seat reports."""

    def changed(self, seat: Seat) -> None:
        """Its state is another."""

    def died(self, seat: Seat, ended: Ended) -> None:
        """A child that had started has ended or was killed."""

    def not_started(self, seat: Seat, error: Exception, again: float) -> None:
        """A start failed; the next begins in `again` seconds."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds. start: for one start. grace: for work that nobody waits for. first, longest: waits after failed starts,
    each twice as long as the one before. short_life: a child that ends sooner counts as a failed start."""

    start: float = 60.0
    grace: float = 1.0
    first: float = 0.5
    longest: float = 60.0
    short_life: float = 0.2


class StartTimeout(Exception):  # noqa: N818 - an outcome
    """A child was not ready in time and was killed."""


class Seat:
    """One seat. `start` makes a child that is not ready yet; it runs in `threads`, as all waiting for pipes does.

    threads: at least one for each seat, and for nothing else.
    """

    def __init__(
        self, start: Callable[[], Child], asks: Asks, threads: Executor, limits: Limits, events: Events
    ) -> None:
        self._start_child = start
        self._asks = asks
        self._threads = threads
        self._limits = limits
        self._events = events
        self._child: Child | None = None
        self._closing = asyncio.Event()
        self._state = State.DEAD
        self._timed_out = False

    @property
    def state(self) -> State:
        return self._state

    @property
    def alive(self) -> bool:
        """Whether a child has started and not ended."""
        return self._state in (State.IDLE, State.BUSY, State.LEAVING)

    async def own(self) -> None:
        """The life of the seat, in a task of its own; ends after `close`."""
        failed = 0
        while not self._closing.is_set():
            try:
                child = await self._started()
            except Exception as error:  # whatever kept it from starting, the next try may have more luck
                await self._release()
                await self._rest(error, min(self._limits.first * 2**failed, self._limits.longest))
                failed = min(failed + 1, 30)
            else:
                began = asyncio.get_running_loop().time()
                await self._serve(child)
                self._enter(State.DEAD)
                await self._release()
                if not self._closing.is_set():
                    self._events.died(self, self._ended(child))
                failed = await self._slow_down(failed, asyncio.get_running_loop().time() - began)

    def close(self) -> None:
        """Kill the child and let the owner end. A client that still waits for a reply gets ChildDied."""
        self._closing.set()
        if self._child is not None:
            self._child.kill()

    async def _started(self) -> Child:
        self._enter(State.STARTING)
        self._child = child = await self._in_thread(self._start_child)
        if self._closing.is_set():  # `close` could not know this child
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
        """Wait before the next start if children end as soon as they have started. How often that was so in a row."""
        if lived >= self._limits.short_life or self._closing.is_set():
            return 0
        await self._pause(min(self._limits.first * 2**failed, self._limits.longest))
        return min(failed + 1, 30)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()

    async def _rest(self, error: Exception, again: float) -> None:
        self._enter(State.DEAD)
        if self._closing.is_set():
            return
        self._events.not_started(self, error, again)
        await self._pause(again)

    async def _serve(self, child: Child) -> None:
        """Ask one question after another until the child has ended."""
        loop = asyncio.get_running_loop()
        died: asyncio.Future[None] = loop.create_future()
        self._timed_out = False
        loop.add_reader(child.sentinel, _settle, died)
        try:
            while True:
                self._enter(State.IDLE)
                ask = await self._next(died)
                if ask is None:
                    return
                self._enter(State.BUSY)
                if not await self._exchange(child, ask):
                    return
        finally:
            loop.remove_reader(child.sentinel)

    async def _next(self, died: asyncio.Future[None]) -> Ask | None:
        """The next question, or None once the child has ended or the seat is closed."""
        taking = asyncio.ensure_future(self._asks.take())
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
            self._asks.put_back(taking.result())
            return None
        return taking.result()

    async def _exchange(self, child: Child, ask: Ask) -> bool:
        """Ask, and pass on the reply. Whether the child can be asked again."""
        try:
            await self._watched(child, ask, self._in_thread(child.ask, ask.value, ask.data))
            ask.data = b""
            ask.delivered()
            reply = await self._watched(child, ask, self._in_thread(child.receive))
        except ChildDied as death:
            if not death.delivered and not ask.reply.done() and not self._closing.is_set():
                self._asks.put_back(ask)
            elif not ask.reply.done():
                ask.reply.set_exception(ChildDied())  # a new one: the other holds frames, and they hold the picture
            return False
        if not ask.reply.done():
            ask.reply.set_result(reply.value)
        return True

    async def _watched(self, child: Child, ask: Ask, step: asyncio.Future[Result]) -> Result:
        """Wait for a step and return its result.

        If the client leaves first, the step has `grace` more seconds; then the child is killed.
        """
        either: set[asyncio.Future[Any]] = {step, ask.reply}
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
            self._events.changed(self)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)

"""Decides which requests are admitted, which wait, and which are refused when there are too many.

As many pictures are at work as there are workers. `waiting` more requests may wait; others are refused at once, with
`Retry-After`. No client can take all places. Pictures of different clients take turns. When all places are taken, the
client with most places loses one to a client with at least two fewer: its newest request that no worker has begun. A
client that has no place is admitted beyond the limit. A client is a token at an address.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from facesieve.processes.child import ChildDied
from facesieve.processes.seat import PendingRequest
from facesieve.service.faults import Fault, FaultCode

Client = tuple[str, str]  # token, address

_NEWEST = 0.1  # share of the newest picture in the remembered time at work
_HELD = "The service holds as many bytes of requests as it may; come again after Retry-After seconds."
HELD_BY_ONE = 0.75  # of max_held: the most that one client may hold


@dataclass(slots=True, eq=False)
class _Waiting(PendingRequest):
    """since, begun: when it was asked, and when a worker took it, on the loop's clock."""

    client: Client = ("", "")
    since: float = 0.0
    begun: float = 0.0


class Place:
    """One admitted request. waited: seconds that its pictures waited for workers, in all."""

    def __init__(self, gate: Gate, client: Client) -> None:
        self._gate = gate
        self.client = client
        self.waited = 0.0
        self.begun = False
        self.lost = False
        self._asks: set[_Waiting] = set()

    async def ask(self, value: Any, data: bytes, delivered: Callable[[], None] = lambda: None) -> Any:
        """What a worker says of one picture. delivered: called when the worker has its bytes.

        Raises Fault `worker_died`, and `busy` where the place was lost to a client with fewer.
        """
        if self.lost:
            raise self._gate.no()
        loop = asyncio.get_running_loop()
        ask = _Waiting(value, data, loop.create_future(), delivered, self.client, loop.time())
        del data  # the worker's copy is enough once it has one
        self._asks.add(ask)
        self._gate.put(ask)
        try:
            reply = await ask.reply
        except ChildDied:
            raise Fault(FaultCode.WORKER_DIED) from None
        finally:
            self._asks.discard(ask)
            self._gate.drop(ask)
            self.begun = self.begun or bool(ask.begun)
            self.waited += (ask.begun or loop.time()) - ask.since
        self._gate.learn(loop.time() - ask.begun)
        return reply

    def lose(self) -> None:
        """Give the place to another client."""
        self.lost = True
        for ask in self._asks:
            if not ask.reply.done():
                ask.reply.set_exception(self._gate.no())

    @property
    def waits(self) -> bool:
        """Whether no worker has had any of its pictures."""
        return not self.begun and not any(ask.begun for ask in self._asks)


class Gate:
    """Admits requests, and hands their pictures to the owners of seats (`processes.seat.RequestQueue`).

    seats: pictures at work at once. waiting: requests that may wait. max_held: most bytes of bodies in memory, and as
    many of answers that are being sent.
    """

    def __init__(self, seats: int, waiting: int, max_held: int) -> None:
        self.seats = seats
        self._places = seats + waiting
        self._max_held = max_held
        self._inside: OrderedDict[Client, list[Place]] = OrderedDict()
        self._queues: OrderedDict[Client, deque[_Waiting]] = OrderedDict()
        self._first: deque[_Waiting] = deque()
        self._owners: deque[asyncio.Future[None]] = deque()
        self._held: Counter[Client] = Counter()
        self._seconds = 0.5
        self._bodies = self._peak = 0
        self._unread: dict[Client, dict[object, int]] = {}
        self._give_up: dict[object, Callable[[], None]] = {}
        self.working = 0

    # for requests

    def admits(self, client: Client) -> bool:
        """Whether a request of this client would find a place now, and the client reads its answers."""
        if sum(self._unread.get(client, {}).values()) > self._max_held * HELD_BY_ONE:
            return False
        return self.inside < self._places or self._loser(client) is not None or self._newcomer(client)

    @property
    def inside(self) -> int:
        """Admitted requests."""
        return sum(map(len, self._inside.values()))

    @property
    def waiting(self) -> int:
        """Pictures that no worker has taken yet."""
        return len(self._first) + sum(map(len, self._queues.values()))

    def no(self, message: str = "") -> Fault:
        """The refusal, with the seconds after which a place should be free at the present pace."""
        seconds = math.ceil(self.inside * self._seconds / max(1, self.seats))
        return Fault(FaultCode.BUSY, message, headers={"Retry-After": str(max(1, seconds))})

    def late(self) -> Fault:
        """The answer was not ready in time; `Retry-After` is as in `no`."""
        return Fault(FaultCode.DEADLINE, headers=self.no().headers)

    @asynccontextmanager
    async def admit(self, client: Client, deadline: float) -> AsyncIterator[Place]:
        """A place until the block ends.

        deadline: on the loop's clock; what has not ended by then is cut off. Raises Fault `busy`, `deadline`.
        """
        if self.inside >= self._places:
            loser = self._loser(client)
            if loser is not None:
                loser.lose()
                self._leave(loser)
            elif not self._newcomer(client):
                raise self.no()
        place = Place(self, client)
        self._inside.setdefault(client, []).append(place)
        try:
            async with asyncio.timeout_at(deadline):
                yield place
        except TimeoutError:
            raise self.late() from None
        finally:
            self._leave(place)

    def hold(self, client: Client, size: int) -> None:
        """Take `size` more bytes of a client's bodies into memory. Raises Fault `busy` when there is no room."""
        of_client = self._held[client] + size + sum(self._unread.get(client, {}).values())
        if self._bodies + size > self._max_held or of_client > self._max_held * HELD_BY_ONE:
            raise self.no(_HELD)
        self.keep(client, size)

    def keep(self, client: Client, size: int) -> None:
        """Count bytes that are in memory in any case."""
        self._bodies += size
        self._held[client] += size
        self._peak = max(self._peak, self.held)

    def peak(self) -> int:
        """The most bytes that were held since the last call."""
        peak, self._peak = self._peak, self.held
        return peak

    def release(self, client: Client, size: int) -> None:
        """Bytes of a client's bodies are no longer in memory."""
        self._bodies -= size
        self._held[client] -= size
        if self._held[client] <= 0:
            del self._held[client]

    @contextmanager
    def sending(self, client: Client, size: int, give_up: Callable[[], None]) -> Iterator[None]:
        """Count an answer while it is sent.

        Where unread answers are more than `max_held`, the oldest one of the client with most is given up.
        """
        key = object()
        self._unread.setdefault(client, {})[key] = size
        self._give_up[key] = give_up
        self._peak = max(self._peak, self.held)
        try:
            while self.unread > self._max_held:
                most = max(self._unread, key=lambda each: sum(self._unread[each].values()))
                oldest = next(iter(self._unread[most]))
                self._sent(most, oldest)()
            yield
        finally:
            if key in self._give_up:
                self._sent(client, key)

    def _sent(self, client: Client, key: object) -> Callable[[], None]:
        self._unread[client].pop(key)
        if not self._unread[client]:
            del self._unread[client]
        return self._give_up.pop(key)

    @property
    def unread(self) -> int:
        """Bytes of answers that are being sent."""
        return sum(sum(sizes.values()) for sizes in self._unread.values())

    @property
    def held(self) -> int:
        """Bytes of bodies and unread answers in memory."""
        return self._bodies + self.unread

    # for places

    def put(self, ask: _Waiting) -> None:
        self._queues.setdefault(ask.client, deque()).append(ask)
        self._wake()

    def drop(self, ask: _Waiting) -> None:
        """Nobody waits for it any more."""
        if ask.begun:
            self.working -= 1
            return
        for queue in (self._first, self._queues.get(ask.client, deque())):
            with suppress(ValueError):
                queue.remove(ask)
        self._tidy(ask.client)

    def learn(self, seconds: float) -> None:
        """How long a picture was at work."""
        self._seconds += _NEWEST * (seconds - self._seconds)

    # for owners of seats

    async def take(self) -> PendingRequest:
        while (ask := self._next()) is None:
            owner: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._owners.append(owner)
            try:
                await owner
            except asyncio.CancelledError:
                with suppress(ValueError):
                    self._owners.remove(owner)
                if owner.done() and not owner.cancelled():
                    self._wake()  # it was woken, and cannot take what it was woken for
                raise
        ask.begun = asyncio.get_running_loop().time()
        self.working += 1
        return ask

    def put_back(self, ask: PendingRequest) -> None:
        assert isinstance(ask, _Waiting)
        if ask.reply.done():
            return
        self.working -= 1
        ask.begun = 0.0
        self._first.append(ask)
        self._wake()

    def _next(self) -> _Waiting | None:
        """The first ask of the client whose turn it is; that client is last then."""
        while self._first:
            ask = self._first.popleft()
            if not ask.reply.done():
                return ask
        for client in list(self._queues):
            queue = self._queues[client]
            self._queues.move_to_end(client)
            while queue:
                ask = queue.popleft()
                if not ask.reply.done():
                    self._tidy(client)
                    return ask
            self._tidy(client)
        return None

    def _tidy(self, client: Client) -> None:
        if client in self._queues and not self._queues[client]:
            del self._queues[client]

    def _wake(self) -> None:
        while self._owners:
            owner = self._owners.popleft()
            if not owner.done():
                owner.set_result(None)
                return

    def _newcomer(self, client: Client) -> bool:
        """Whether it has no place, and there is still room beyond the limit for such clients."""
        return client not in self._inside and self.inside < 2 * self._places

    def _loser(self, client: Client) -> Place | None:
        """The place this client would take over, of the client with most: at least two more than this one."""
        most = max(self._inside.values(), key=len, default=[])
        if len(most) < len(self._inside.get(client, [])) + 2:
            return None
        return next((place for place in reversed(most) if place.waits), None)

    def _leave(self, place: Place) -> None:
        places = self._inside.get(place.client, [])
        if place in places:
            places.remove(place)
        if not places:
            self._inside.pop(place.client, None)

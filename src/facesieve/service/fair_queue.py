"""Pictures that wait for a worker. Clients take turns, however many pictures each of them has sent."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from contextlib import suppress
from dataclasses import dataclass

from facesieve.processes.seat import PendingRequest

Client = tuple[str, str]  # token, address


@dataclass(slots=True, eq=False)
class QueuedPicture(PendingRequest):
    """A picture that waits for a worker, or the measures of a `/v1/sieve` request.

    since: when it was queued. begun: when a worker took it; 0 until then. Both in seconds of the loop's clock.
    """

    client: Client = ("", "")
    since: float = 0.0
    begun: float = 0.0


class FairQueue:
    """The queue from which the seats of workers take pictures; see `processes.seat.RequestQueue`.

    working: pictures that workers have now.
    """

    def __init__(self) -> None:
        self.working = 0
        self._queues: OrderedDict[Client, deque[QueuedPicture]] = OrderedDict()
        self._returned: deque[QueuedPicture] = deque()
        self._owners: deque[asyncio.Future[None]] = deque()

    @property
    def waiting(self) -> int:
        """Pictures that no worker has taken yet."""
        return len(self._returned) + sum(map(len, self._queues.values()))

    def put(self, ask: QueuedPicture) -> None:
        self._queues.setdefault(ask.client, deque()).append(ask)
        self._wake()

    def drop(self, ask: QueuedPicture) -> None:
        """The request no longer waits for this picture."""
        if ask.begun:
            self.working -= 1
            return
        for queue in (self._returned, self._queues.get(ask.client, deque())):
            with suppress(ValueError):
                queue.remove(ask)
        self._drop_empty(ask.client)

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
                    self._wake()  # this owner was woken for a picture, and another one must take it
                raise
        ask.begun = asyncio.get_running_loop().time()
        self.working += 1
        return ask

    def put_back(self, ask: PendingRequest) -> None:
        assert isinstance(ask, QueuedPicture)
        if ask.reply.done():
            return
        self.working -= 1
        ask.begun = 0.0
        self._returned.append(ask)
        self._wake()

    def _next(self) -> QueuedPicture | None:
        """The first picture of the client whose turn it is. That client then goes to the end of the order."""
        while self._returned:
            ask = self._returned.popleft()
            if not ask.reply.done():
                return ask
        for client in list(self._queues):
            queue = self._queues[client]
            self._queues.move_to_end(client)
            while queue:
                ask = queue.popleft()
                if not ask.reply.done():
                    self._drop_empty(client)
                    return ask
            self._drop_empty(client)
        return None

    def _drop_empty(self, client: Client) -> None:
        if client in self._queues and not self._queues[client]:
            del self._queues[client]

    def _wake(self) -> None:
        while self._owners:
            owner = self._owners.popleft()
            if not owner.done():
                owner.set_result(None)
                return

"""Pictures that wait for a worker. Clients take turns, however many pictures each of them has sent."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from contextlib import suppress
from dataclasses import dataclass

from facesieve.processes.worker_slot import PendingRequest

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
    """The queue from which the slots of workers take pictures; see `processes.worker_slot.RequestQueue`.

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

    def put(self, picture: QueuedPicture) -> None:
        self._queues.setdefault(picture.client, deque()).append(picture)
        self._wake()

    def drop(self, picture: QueuedPicture) -> None:
        """The request no longer waits for this picture."""
        if picture.begun:
            self.working -= 1
            return
        for queue in (self._returned, self._queues.get(picture.client, deque())):
            with suppress(ValueError):
                queue.remove(picture)
        self._drop_empty(picture.client)

    async def take(self) -> PendingRequest:
        while (picture := self._next()) is None:
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
        picture.begun = asyncio.get_running_loop().time()
        self.working += 1
        return picture

    def put_back(self, picture: PendingRequest) -> None:
        assert isinstance(picture, QueuedPicture)
        if picture.reply.done():
            return
        self.working -= 1
        picture.begun = 0.0
        self._returned.append(picture)
        self._wake()

    def _next(self) -> QueuedPicture | None:
        """The first picture of the client whose turn it is. That client then goes to the end of the order."""
        while self._returned:
            picture = self._returned.popleft()
            if not picture.reply.done():
                return picture
        for client in list(self._queues):
            queue = self._queues[client]
            self._queues.move_to_end(client)
            while queue:
                picture = queue.popleft()
                if not picture.reply.done():
                    self._drop_empty(client)
                    return picture
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

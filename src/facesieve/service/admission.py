"""Decides which requests are admitted, which wait, and which are refused when there are too many.

As many pictures are processed at once as there are workers. `waiting` more requests may wait; all others are refused at
once, with `Retry-After`. When all places are taken, a client with at least two places fewer takes one from the client
with the most: the newest place for which no worker has begun. A client that has no place is admitted beyond the limit,
so no client can take all places. A client is a token at an address.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from facesieve.processes.child import ChildDied
from facesieve.service.api_errors import ApiError, ErrorCode
from facesieve.service.fair_places import FairPlaces
from facesieve.service.fair_queue import Client, FairQueue, QueuedPicture
from facesieve.service.held_bytes import HeldBytes

_NEWEST = 0.1  # weight of the newest picture in the moving average of seconds per picture
_NO_MEMORY = "The service holds as many bytes of requests as it may; try again after Retry-After seconds."


class Place:
    """One admitted request. waited: seconds that its pictures waited for workers, in all."""

    def __init__(self, admission: Admission, client: Client) -> None:
        self._admission = admission
        self.client = client
        self.waited = 0.0
        self.begun = False
        self.lost = False
        self._pictures: set[QueuedPicture] = set()

    async def process(self, value: Any, data: bytes, delivered: Callable[[], None] = lambda: None) -> Any:
        """Let a worker process one picture, and return its reply. delivered: called when the worker has the bytes.

        Raises ApiError `worker_died`, and `busy` if the place was lost to a client with fewer places.
        """
        if self.lost:
            raise self._admission.busy()
        loop = asyncio.get_running_loop()
        picture = QueuedPicture(value, data, loop.create_future(), delivered, self.client, loop.time())
        del data  # the worker's copy is enough once it has one
        self._pictures.add(picture)
        self._admission.queue.put(picture)
        try:
            reply = await picture.reply
        except ChildDied:
            raise ApiError(ErrorCode.WORKER_DIED) from None
        finally:
            self._pictures.discard(picture)
            self._admission.queue.drop(picture)
            self.begun = self.begun or bool(picture.begun)
            self.waited += (picture.begun or loop.time()) - picture.since
        self._admission.note_duration(loop.time() - picture.begun)
        return reply

    def lose(self) -> None:
        """Free the place for another client: pictures without a reply are refused."""
        self.lost = True
        for picture in self._pictures:
            if not picture.reply.done():
                picture.reply.set_exception(self._admission.busy())

    @property
    def may_lose(self) -> bool:
        """Whether no worker has taken any of its pictures yet."""
        return not self.begun and not any(picture.begun for picture in self._pictures)


class Admission:
    """Admits requests. Their pictures go into `queue`, and the bytes that they hold are counted in `held`.

    slots: pictures that are processed at once. waiting: requests that may wait. max_held: see `HeldBytes`.
    """

    def __init__(self, slots: int, waiting: int, max_held: int) -> None:
        self.slots = slots
        self.queue = FairQueue()
        self.held = HeldBytes(max_held)
        self._places = FairPlaces(slots + waiting)
        self._seconds = 0.5

    def admits(self, client: Client) -> bool:
        """Whether a request of this client would get a place now. A client that does not read its answers gets none."""
        return self.held.reads_answers(client) and self._places.admits(client)

    @property
    def admitted(self) -> int:
        """Requests that have a place."""
        return len(self._places)

    def busy(self, message: str = "") -> ApiError:
        """The error `busy`. `Retry-After` says when a place should be free at the present pace."""
        seconds = math.ceil(self.admitted * self._seconds / max(1, self.slots))
        return ApiError(ErrorCode.BUSY, message, headers={"Retry-After": str(max(1, seconds))})

    def late(self) -> ApiError:
        """The error `deadline`, with `Retry-After` as in `busy`."""
        return ApiError(ErrorCode.DEADLINE, headers=self.busy().headers)

    @asynccontextmanager
    async def admit(self, client: Client, deadline: float) -> AsyncIterator[Place]:
        """A place until the block ends.

        deadline: on the loop's clock; the block is cancelled then. Raises ApiError `busy`, `deadline`.
        """
        place = Place(self, client)
        if not self._places.enter(place):
            raise self.busy()
        try:
            async with asyncio.timeout_at(deadline):
                yield place
        except TimeoutError:
            raise self.late() from None
        finally:
            self._places.leave(place)

    def hold(self, client: Client, size: int) -> None:
        """Take `size` more bytes of a client's bodies into memory. Raises ApiError `busy` if there is no room."""
        if not self.held.has_room(client, size):
            raise self.busy(_NO_MEMORY)
        self.held.add(client, size)

    def note_duration(self, seconds: float) -> None:
        """Note how long a worker took for a picture."""
        self._seconds += _NEWEST * (seconds - self._seconds)

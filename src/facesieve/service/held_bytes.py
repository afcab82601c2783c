"""How many bytes of bodies and unread answers are in memory, in all and for each client."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from facesieve.service.fair_queue import Client

HELD_BY_ONE = 0.75  # the share of max_held that one client may hold


class HeldBytes:
    """Counts bytes. max_held: the limit for bodies in memory, and also the limit for answers that are being sent."""

    def __init__(self, max_held: int) -> None:
        self._max_held = max_held
        self._of_one = max_held * HELD_BY_ONE
        self._bodies: Counter[Client] = Counter()
        self._bodies_total = self._peak = 0
        self._answers: dict[Client, dict[object, int]] = {}
        self._give_up: dict[object, Callable[[], None]] = {}

    @property
    def unread(self) -> int:
        """Bytes of answers that are being sent."""
        return sum(sum(sizes.values()) for sizes in self._answers.values())

    @property
    def total(self) -> int:
        """Bytes of bodies and unread answers in memory."""
        return self._bodies_total + self.unread

    def peak(self) -> int:
        """The most bytes that were held since the last call."""
        peak, self._peak = self._peak, self.total
        return peak

    def reads_answers(self, client: Client) -> bool:
        """Whether the unread answers of a client leave it room for a new request."""
        return self._unread_of(client) <= self._of_one

    def has_room(self, client: Client, size: int) -> bool:
        """Whether `size` more bytes of a client's bodies fit into memory."""
        of_client = self._bodies[client] + size + self._unread_of(client)
        return self._bodies_total + size <= self._max_held and of_client <= self._of_one

    def add(self, client: Client, size: int) -> None:
        """Count bytes of a client's bodies that are in memory now."""
        self._bodies_total += size
        self._bodies[client] += size
        self._peak = max(self._peak, self.total)

    def release(self, client: Client, size: int) -> None:
        """Count bytes of a client's bodies that are no longer in memory."""
        self._bodies_total -= size
        self._bodies[client] -= size
        if self._bodies[client] <= 0:
            del self._bodies[client]

    @contextmanager
    def sending(self, client: Client, size: int, give_up: Callable[[], None]) -> Iterator[None]:
        """Count an answer while it is sent.

        give_up: stops sending. It is called for the oldest answer of the client with the most unread bytes, when all
        unread answers together are more than `max_held`.
        """
        key = object()
        self._answers.setdefault(client, {})[key] = size
        self._give_up[key] = give_up
        self._peak = max(self._peak, self.total)
        try:
            while self.unread > self._max_held:
                most = max(self._answers, key=self._unread_of)
                oldest = next(iter(self._answers[most]))
                self._sent(most, oldest)()
            yield
        finally:
            if key in self._give_up:
                self._sent(client, key)

    def _unread_of(self, client: Client) -> int:
        return sum(self._answers.get(client, {}).values())

    def _sent(self, client: Client, key: object) -> Callable[[], None]:
        self._answers[client].pop(key)
        if not self._answers[client]:
            del self._answers[client]
        return self._give_up.pop(key)

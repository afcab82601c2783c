"""A number of places that clients share fairly: no client can take them all."""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol

from facesieve.service.fair_queue import Client


class Holder(Protocol):
    """What holds a place. may_lose: whether the place may still be given to another client."""

    @property
    def client(self) -> Client: ...

    @property
    def may_lose(self) -> bool: ...

    def lose(self) -> None:
        """End it, because its place is given to another client."""


class FairPlaces:
    """At most `most` places. When all are taken, a client with at least two places fewer takes one over.

    The client with the most places loses it: the newest of those that it may lose, or the next client loses one if that
    client may lose none. If there is none to take over, a client without a place is admitted beyond the limit, up to
    twice the limit.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: OrderedDict[Client, list[Holder]] = OrderedDict()

    def __len__(self) -> int:
        """Places that are taken."""
        return sum(map(len, self._taken.values()))

    def admits(self, client: Client) -> bool:
        """Whether `enter` would succeed for this client now."""
        return len(self) < self._most or self._loser(client) is not None or self._newcomer(client)

    def enter(self, holder: Holder) -> bool:
        """Take a place, perhaps from another client. Returns False if there is none for this client."""
        if len(self) >= self._most:
            loser = self._loser(holder.client)
            if loser is not None:
                loser.lose()
                self.leave(loser)
            elif not self._newcomer(holder.client):
                return False
        self._taken.setdefault(holder.client, []).append(holder)
        return True

    def leave(self, holder: Holder) -> None:
        """Free the place, if it was not lost before."""
        held = self._taken.get(holder.client, [])
        if holder in held:
            held.remove(holder)
        if not held:
            self._taken.pop(holder.client, None)

    def _newcomer(self, client: Client) -> bool:
        """Whether the client has no place, and there is still room beyond the limit for such clients."""
        return client not in self._taken and len(self) < 2 * self._most

    def _loser(self, client: Client) -> Holder | None:
        """What holds the place that this client may take over, if there is one."""
        least = len(self._taken.get(client, [])) + 2
        most_first = sorted((held for held in self._taken.values() if len(held) >= least), key=len, reverse=True)
        return next((holder for held in most_first for holder in reversed(held) if holder.may_lose), None)

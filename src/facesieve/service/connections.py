"""Which connections are open, which clients have them, and which one is closed to make room for a new one.

A connection costs a descriptor, and anyone can open one without a token. So the service allows fewer connections than
the process has descriptors, and when there is no room, it closes the connection that has been idle for longest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from tornado.iostream import IOStream

from facesieve.service.log import Log
from facesieve.service.metrics import Metrics

_YOUNG = 0.05  # seconds in which a new connection does not count as idle, because its request is on its way
_PATIENCE = 1.0  # seconds that new connections wait for room, in the system's queue, before they are refused


class Connections:
    """The open connections of all clients.

    most: the limit for all clients together. most_of_one: the limit for one address. at_work: returns the connections
    on which a request is read or answered now; all others are idle.
    """

    def __init__(
        self, most: int, most_of_one: int, at_work: Callable[[], set[IOStream]], log: Log, metrics: Metrics
    ) -> None:
        self.most = most
        self._most_of_one = most_of_one
        self._at_work = at_work
        self._log = log
        self._metrics = metrics
        # When each began to wait for a request; a dict keeps the order, so the one that waits longest is first.
        self._open: dict[IOStream, float] = {}
        self._clients: dict[IOStream, str] = {}
        self._by_client: dict[str, dict[IOStream, None]] = {}
        self._full_since: float | None = None

    def __len__(self) -> int:
        return len(self._open)

    @property
    def full(self) -> bool:
        return len(self._open) >= self.most

    def must_wait(self) -> bool:
        """Whether a new connection should wait for room. If there is no room, idle connections are closed first."""
        if not self.full or self._close_idle(self._open):
            self._full_since = None
            return False
        now = time.monotonic()
        self._full_since = self._full_since or now
        return now - self._full_since < _PATIENCE

    def admit(self, client: str) -> bool:
        """Whether there is room for one more connection of a client. An idle one of the same client makes room."""
        of_client = self._by_client.get(client, {})
        admitted = not self.full and (len(of_client) < self._most_of_one or self._close_idle(of_client))
        if not admitted:
            self._metrics.connections_refused.inc()
            self._log.seldom("connection_refused", client=client, open=len(self._open), of_client=len(of_client))
        return admitted

    def accept_failed(self, error: OSError) -> bool:
        """Close idle connections, because the system could not open one. Returns whether there were any."""
        self._metrics.accept_failures.inc()
        self._log.seldom("accept_failed", error=error.strerror, open=len(self._open))
        return self._close_idle(self._open)

    def add(self, stream: IOStream, client: str) -> None:
        """Count a new connection."""
        self._open[stream] = time.monotonic()
        self._clients[stream] = client
        self._by_client.setdefault(client, {})[stream] = None
        self._metrics.connections.set(len(self._open))

    def touch(self, stream: IOStream) -> None:
        """Note that the connection waits for its next request from now on."""
        if stream in self._open:
            client = self._clients[stream]
            self.remove(stream)
            self.add(stream, client)

    def remove(self, stream: IOStream) -> None:
        """Note that the connection has ended."""
        client = self._clients.pop(stream, None)
        if client is None:
            return
        self._open.pop(stream)
        self._by_client[client].pop(stream)
        if not self._by_client[client]:
            del self._by_client[client]
        self._metrics.connections.set(len(self._open))

    def _close_idle(self, among: Iterable[IOStream]) -> bool:
        """Close the connections that have been idle for longest. Returns whether there were any.

        If there are many connections, several are closed at once, because the search takes time.
        """
        at_work, several, old = self._at_work(), 1 + self.most // 64, time.monotonic() - _YOUNG
        idle = []
        for stream in among:
            if self._open[stream] > old:
                break
            if stream not in at_work:
                idle.append(stream)
                if len(idle) == several:
                    break
        for stream in idle:
            self.remove(stream)
            stream.close()
        if idle:
            self._metrics.connections_closed.inc(len(idle))
            self._log.seldom("idle_connections_closed", closed=len(idle), open=len(self._open))
        return bool(idle)

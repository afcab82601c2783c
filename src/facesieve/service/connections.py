"""How many connections may be open, whose they are, and which of them makes room for a new one.

A connection costs a descriptor, and anyone can open one without a token. So there are fewer of them than the process
has descriptors, and when there is no room, the connection that has been idle for longest is closed.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from tornado.ioloop import IOLoop
from tornado.iostream import IOStream
from tornado.web import Application

from facesieve.service.client import network_of
from facesieve.service.faults import Fault, FaultCode
from facesieve.service.log import Log
from facesieve.service.metrics import Metrics
from facesieve.service.refusal import error_response
from facesieve.service.server import Server

_MOST = 4096  # connections, unless the setting says more
_OTHERS = 24  # descriptors for everything that is no connection and no worker
_OF_A_WORKER = 6  # descriptors of a worker and of the one that replaces it
_AT_ONCE = 128  # connections that are accepted before anything else has its turn
_PAUSE = 0.05  # seconds without accepting where there is no room
_YOUNG = 0.05  # seconds in which the request of a new connection is awaited before it counts as idle
_PATIENCE = 1.0  # seconds that new connections wait for room, in the system's queue, before they are refused
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def room_for_connections(wanted: int, workers: int) -> int:
    """The most connections that the limit of descriptors allows; at most `wanted`, unless that is 0.

    The soft limit of the process is raised where that makes room for more.
    """
    most = wanted or _MOST
    spare = _OTHERS + _OF_A_WORKER * workers
    return max(1, min(most, _raised_limit(most + spare) - spare))


class Connections:
    """The books of the open connections.

    most: of all clients together. most_of_one: of one address. at_work: the connections on which a request is read or
    answered now; all others are idle.
    """

    def __init__(
        self, most: int, most_of_one: int, at_work: Callable[[], set[IOStream]], log: Log, metrics: Metrics
    ) -> None:
        self.most = most
        self._most_of_one = most_of_one
        self._at_work = at_work
        self._log = log
        self._metrics = metrics
        # Since when each waits for a request, the longest first; a dict keeps the order.
        self._open: dict[IOStream, float] = {}
        self._clients: dict[IOStream, str] = {}
        self._of: dict[str, dict[IOStream, None]] = {}
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
        of_client = self._of.get(client, {})
        admitted = not self.full and (len(of_client) < self._most_of_one or self._close_idle(of_client))
        if not admitted:
            self._metrics.connections_refused.inc()
            self._log.seldom("connection_refused", client=client, open=len(self._open), of_client=len(of_client))
        return admitted

    def accept_failed(self, error: OSError) -> bool:
        """The system had nothing left for a connection: close idle ones. Returns whether there were any."""
        self._metrics.accept_failures.inc()
        self._log.seldom("accept_failed", error=error.strerror, open=len(self._open))
        return self._close_idle(self._open)

    def add(self, stream: IOStream, client: str) -> None:
        """Count a new connection."""
        self._open[stream] = time.monotonic()
        self._clients[stream] = client
        self._of.setdefault(client, {})[stream] = None
        self._metrics.connections.set(len(self._open))

    def touch(self, stream: IOStream) -> None:
        """The connection waits for its next request from now on."""
        if stream in self._open:
            client = self._clients[stream]
            self.remove(stream)
            self.add(stream, client)

    def remove(self, stream: IOStream) -> None:
        """The connection has ended."""
        client = self._clients.pop(stream, None)
        if client is None:
            return
        self._open.pop(stream)
        self._of[client].pop(stream)
        if not self._of[client]:
            del self._of[client]
        self._metrics.connections.set(len(self._open))

    def _close_idle(self, among: Iterable[IOStream]) -> bool:
        """Close the longest idle of some connections; several at once where there are many, as looking costs time."""
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


class BoundedServer(Server):
    """An HTTP server that keeps the books of its connections, and survives that there are no descriptors left."""

    def initialize(self, application: Application, *, connections: Connections, **how: Any) -> None:  # type: ignore[override]
        self._books = connections
        self._listeners: list[_Listener] = []
        super().initialize(application, **how)

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        self._listeners += [_Listener(listener, self._books, self._handle_connection) for listener in sockets]

    def stop(self) -> None:
        while self._listeners:
            self._listeners.pop().close()

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        self._books.add(stream, network_of(str(address[0]) if address else ""))
        super().handle_stream(stream, address)

    def on_idle(self, stream: IOStream) -> None:
        self._books.touch(stream)

    def on_close(self, server_conn: Any) -> None:
        self._books.remove(server_conn.stream)
        super().on_close(server_conn)

    def _handle_connection(self, connection: socket.socket, address: Any) -> None:
        if self._books.admit(network_of(str(address[0]) if address else "")):
            super()._handle_connection(connection, address)
        else:
            _refuse(connection, self._books.full)


class _Listener:
    """Accepts the connections of one listening socket, and passes each with its address to `accepted`.

    Where there is no room, nothing is accepted for a moment, and connections wait in the system's queue. Without the
    pause, the readable socket would wake the event loop all the time.
    """

    def __init__(
        self, listener: socket.socket, books: Connections, accepted: Callable[[socket.socket, Any], None]
    ) -> None:
        self._listener = listener
        self._books = books
        self._accepted = accepted
        self._loop = IOLoop.current()
        self._pause: object | None = None
        self._resume()

    def close(self) -> None:
        if self._pause is None:
            self._loop.remove_handler(self._listener)
        else:
            self._loop.remove_timeout(self._pause)
        self._listener.close()

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_handler(self._listener, self._accept, IOLoop.READ)

    def _rest(self) -> None:
        self._loop.remove_handler(self._listener)
        self._pause = self._loop.call_later(_PAUSE, self._resume)

    def _accept(self, listener: socket.socket, events: int) -> None:
        if self._books.must_wait():
            self._rest()
            return
        for _ in range(_AT_ONCE):
            try:
                connection, address = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    continue  # this connection broke before it was accepted
                if not self._books.accept_failed(error):
                    self._rest()
                    return
            else:
                self._accepted(connection, address)
                if self._books.full:
                    return


def _refuse(connection: socket.socket, full: bool) -> None:
    """Say why, as far as that goes without waiting, and close. full: for all addresses together."""
    message = "" if full else "Your address has all the connections that it may have, and all are in use; come again."
    fault = Fault(FaultCode.TOO_MANY_CONNECTIONS, message, headers={"Retry-After": "1"})
    with contextlib.closing(connection), contextlib.suppress(OSError):
        connection.setblocking(False)
        connection.send(error_response(fault, uuid.uuid4().hex))
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1 << 16)  # unread bytes would make the end of the connection a reset


def _raised_limit(wanted: int) -> int:
    """The limit of open descriptors, raised up to `wanted` where the system lets it; `wanted` where it has none."""
    try:
        import resource
    except ImportError:  # Windows
        return wanted
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if soft != unlimited and soft < wanted:
        soft = wanted if hard == unlimited else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == unlimited else soft

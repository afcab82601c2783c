"""The HTTP server with a limit on its connections. It survives when the process has no descriptors left."""

from __future__ import annotations

import contextlib
import errno
import socket
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from tornado.ioloop import IOLoop
from tornado.iostream import IOStream
from tornado.web import Application

from facesieve.service.api_errors import ApiError, ErrorCode
from facesieve.service.client import network_of
from facesieve.service.connections import Connections
from facesieve.service.error_response import error_response
from facesieve.service.server import Server

_AT_ONCE = 128  # connections that are accepted before other work on the event loop
_PAUSE = 0.05  # seconds without accepting where there is no room
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class BoundedServer(Server):
    """An HTTP server that counts its connections and limits them."""

    def initialize(self, application: Application, *, connections: Connections, **how: Any) -> None:  # type: ignore[override]
        self._open_connections = connections
        self._listeners: list[_Listener] = []
        super().initialize(application, **how)

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        self._listeners += [
            _Listener(listener, self._open_connections, self._handle_connection) for listener in sockets
        ]

    def stop(self) -> None:
        while self._listeners:
            self._listeners.pop().close()

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        self._open_connections.add(stream, network_of(str(address[0]) if address else ""))
        super().handle_stream(stream, address)

    def on_idle(self, stream: IOStream) -> None:
        self._open_connections.touch(stream)

    def on_close(self, server_conn: Any) -> None:
        self._open_connections.remove(server_conn.stream)
        super().on_close(server_conn)

    def _handle_connection(self, connection: socket.socket, address: Any) -> None:
        if self._open_connections.admit(network_of(str(address[0]) if address else "")):
            super()._handle_connection(connection, address)
        else:
            _refuse(connection, self._open_connections.full)


class _Listener:
    """Accepts the connections of one listening socket, and passes each with its address to `accepted`.

    If there is no room, it accepts nothing for a moment, and new connections wait in the system's queue. Without that
    pause, the readable socket would wake the event loop all the time.
    """

    def __init__(
        self, listener: socket.socket, connections: Connections, accepted: Callable[[socket.socket, Any], None]
    ) -> None:
        self._listener = listener
        self._connections = connections
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
        if self._connections.must_wait():
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
                if not self._connections.accept_failed(error):
                    self._rest()
                    return
            else:
                self._accepted(connection, address)
                if self._connections.full:
                    return


def _refuse(connection: socket.socket, full: bool) -> None:
    """Send the reason if that is possible without waiting, and close. full: whether the service has no more room."""
    of_one = "Your address has as many open connections as it may have, and all are in use; try again later."
    message = "" if full else of_one
    error = ApiError(ErrorCode.TOO_MANY_CONNECTIONS, message, headers={"Retry-After": "1"})
    with contextlib.closing(connection), contextlib.suppress(OSError):
        connection.setblocking(False)
        connection.send(error_response(error, uuid.uuid4().hex))
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1 << 16)  # unread bytes would make the end of the connection a reset

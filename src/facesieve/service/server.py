"""The HTTP server: accepts connections, finds the client of each request, and answers bytes that are not a request."""

from __future__ import annotations

import asyncio
import functools
import logging
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders
from tornado.iostream import IOStream
from tornado.web import Application

from facesieve.service.api_errors import ApiError, request_id_of
from facesieve.service.client import address_of
from facesieve.service.error_response import error_response
from facesieve.service.shared import Service
from facesieve.service.wire import Connection, HttpLimits
from facesieve.service.wire_exchange import Peer

_HEADER_BYTES = 1 << 15
_FAILURES = 10  # most lines about failed connections in one interval of the log
_AFTER_ALARM = 0.5  # seconds from the error `body_timeout` to the end of the connection


class Server(HTTPServer):
    """Serves an application on sockets: Tornado accepts connections, and `wire.Connection` reads them."""

    def initialize(self, application: Application, *, service: Service) -> None:  # type: ignore[override]
        super().initialize(application)
        settings = service.settings
        self._service = service
        body_seconds = settings.deadline + _AFTER_ALARM
        self._limits = HttpLimits(_HEADER_BYTES, settings.header_timeout, body_seconds, settings.write_timeout)
        self._serving: dict[Connection, asyncio.Task[None]] = {}

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Called by Tornado for each connection that it accepts."""
        stream.set_nodelay(True)
        peer = str(address[0]) if address else "0.0.0.0"  # a Unix socket has no address
        connection = Connection(
            stream,
            self,
            self._limits,
            functools.partial(self._peer_of, peer),
            functools.partial(self._refusal, peer),
            functools.partial(self.on_idle, stream),
        )
        task = asyncio.get_running_loop().create_task(connection.handle_requests())
        self._serving[connection] = task
        task.add_done_callback(self._note)

    def on_idle(self, stream: IOStream) -> None:
        """Called by a connection that begins to wait for its next request."""

    def on_close(self, server_conn: object) -> None:
        """Called by a connection when it ends."""
        assert isinstance(server_conn, Connection)
        del self._serving[server_conn]

    async def close_all_connections(self) -> None:
        """Close all connections, and wait until their tasks have ended."""
        tasks = list(self._serving.values())
        for connection in self._serving:
            connection.stream.close()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _note(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._service.log.seldom("failure", _FAILURES, logging.ERROR, request_id="", exc_info=error)

    def _peer_of(self, peer: str, headers: HTTPHeaders) -> Peer:
        return Peer(address_of(headers, peer, self._service.settings))

    def _refusal(self, peer: str, error: ApiError, headers: HTTPHeaders) -> bytes:
        """The answer to bytes that are not a request. It is counted and logged like a request."""
        request_id, client = request_id_of(headers), self._peer_of(peer, headers).remote_ip
        self._service.ended("none", error.status, error.code, request_id=request_id, method="", bytes=0, client=client)
        return error_response(error, request_id)

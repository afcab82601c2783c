"""The life cycle of the service: listen, start workers, serve, and after SIGTERM finish the accepted requests."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable, Coroutine
from typing import Any

from tornado.netutil import bind_sockets

from facesieve.errors import UsageError
from facesieve.processes.cores import cores
from facesieve.processes.trim import trim
from facesieve.service.admission import Admission
from facesieve.service.app import application
from facesieve.service.bounded_server import BoundedServer
from facesieve.service.connections import Connections
from facesieve.service.descriptors import room_for_connections
from facesieve.service.log import Log
from facesieve.service.metrics import Metrics
from facesieve.service.precheck import bounded
from facesieve.service.server import Server
from facesieve.service.shared import Service
from facesieve.service.tokens import tokens_of
from facesieve.service.worker_pool import WorkerPool
from facesieve.settings import ServiceSettings, Settings
from facesieve.sieve import Policy

_BACKLOG = 1024
_POLL_INTERVAL = 0.02  # seconds
_TRIM_INTERVAL = 1.0  # seconds
_TRIM_THRESHOLD = 16 << 20  # bytes held, after which memory is returned to the system
_SAME_SIGNAL = 0.5  # seconds until a second signal counts: some supervisors signal the process and then its group
_LINGER = 0.5  # seconds in which a request on an open connection is still accepted after SIGTERM

Announce = Callable[[str], None]


async def run(
    settings: Settings, service_settings: ServiceSettings, policy: Policy, log: Log, announce: Announce
) -> None:
    """Serve until SIGTERM or SIGINT. A second signal, at least half a second later, exits at once with status 1.

    announce: called with each line for the operator: the new token if none was set, and the address.
    Raises UsageError if the service cannot listen on the address, and the FacesieveError with which the workers failed
    to start.
    """
    tokens, made = tokens_of(service_settings)
    if service_settings.drain < service_settings.deadline:
        log.warning(
            "setting", message="The setting drain is below deadline, so a stop may end requests before their deadline."
        )
    metrics = Metrics()
    slots = service_settings.workers or cores()
    admission = Admission(slots, service_settings.waiting, service_settings.max_held_bytes)
    workers = WorkerPool(bounded(settings, service_settings), service_settings, admission, metrics, log)
    service = Service(service_settings, settings, policy, tokens, admission, workers, metrics, log)
    server, sockets = _listen(service)
    stop = _on_signals(workers)
    try:
        workers.start()
        if made:
            announce(f"No token is set. This one is accepted until the service stops: {made}")
        url = _url(service_settings.address, sockets)
        announce(f"FaceSieve is listening on {url}")
        if made:
            announce(f"Open this in a browser: {url}/#token={made}")
        trimming = asyncio.ensure_future(_trim_memory(admission))
        await _wait_for_first(stop.wait(), workers.wait_ready())
        await stop.wait()
        trimming.cancel()
        await _drain(service, server, sockets)
    finally:
        workers.close()
        log.info("stopped")


def _listen(service: Service) -> tuple[Server, list[socket.socket]]:
    settings = service.settings
    try:
        sockets = bind_sockets(settings.port, settings.address, backlog=_BACKLOG)
    except (OSError, ValueError) as error:  # ValueError: the name cannot be a host name
        where, reason = f"{settings.address}:{settings.port}", getattr(error, "strerror", None)
        raise UsageError("no_address", f"Cannot listen on {where}: {reason or 'this is not a host name'}.") from error
    fetches = service.pictures.fetch_connections if settings.accept_urls else 0
    most = room_for_connections(settings.max_connections, service.admission.slots, fetches)
    if settings.max_connections > most:
        service.log.warning("max_connections", wanted=settings.max_connections, allowed=most)
    of_one = settings.max_connections_per_address
    connections = Connections(most, of_one, service.at_work, service.log, service.metrics)
    server = BoundedServer(application(service), connections=connections, service=service)
    server.add_sockets(sockets)
    return server, sockets


async def _wait_for_first(*waits: Coroutine[Any, Any, object]) -> None:
    """Wait until the first of them is done, and cancel the others. Raises the exception of the first."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    for task in done:
        task.result()


def _on_signals(workers: WorkerPool) -> asyncio.Event:
    stop = asyncio.Event()

    loop, first = asyncio.get_running_loop(), 0.0

    def on_signal() -> None:
        nonlocal first
        if not stop.is_set():
            first = loop.time()
            stop.set()
        elif loop.time() - first > _SAME_SIGNAL:
            workers.close()
            os._exit(1)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    return stop


async def _trim_memory(admission: Admission) -> None:
    """Return memory to the system in the first second without requests after many bytes were held."""
    most = 0
    while True:
        await asyncio.sleep(_TRIM_INTERVAL)
        most = max(most, admission.held.peak())
        if most > _TRIM_THRESHOLD and not admission.held.total:
            await asyncio.to_thread(trim)
            most = 0


async def _drain(service: Service, server: Server, sockets: list[socket.socket]) -> None:
    """Accept no new connections, and answer the requests on those that are open or wait in the kernel's queue."""
    loop = asyncio.get_running_loop()
    service.stopping = True
    service.log.info("stopping", active=len(service.active))
    last = loop.time() + service.settings.drain
    for listener in sockets:
        _accept_all(server, listener)
    server.stop()
    quiet_since = loop.time()
    while loop.time() < last and loop.time() - quiet_since < _LINGER:
        await asyncio.sleep(_POLL_INTERVAL)
        if service.active:
            quiet_since = loop.time()
    await _cut_off(service)
    await server.close_all_connections()


async def _cut_off(service: Service) -> None:
    """Answer all open requests with `deadline`, and wait a moment until the answers are sent."""
    loop = asyncio.get_running_loop()
    last = loop.time() + _LINGER
    for request in set(service.active):
        request.cut_off()
    while service.active and loop.time() < last:
        await asyncio.sleep(_POLL_INTERVAL)


def _accept_all(server: Server, listener: socket.socket) -> None:
    """Accept the connections that wait in the kernel's queue, because closing the listener would reset them."""
    for _ in range(_BACKLOG):
        try:
            connection, address = listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        server._handle_connection(connection, address)


def _url(address: str, sockets: list[socket.socket]) -> str:
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{sockets[0].getsockname()[1]}"

"""Opens a connection to the first address of a host that accepts one. Cancelling it closes everything at once."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from typing import Any

from facesieve.sources.remote.resolver import Answers

_HEAD_START = 0.3  # seconds until the next address is tried too, because the way to one may be dead


async def connected_socket(addresses: Answers) -> socket.socket:
    """A connected socket. addresses: at least one. Raises the OSError of the last address if none accepts."""
    left, tries = deque(addresses), list[asyncio.Task[socket.socket]]()
    pending, error = set[asyncio.Task[socket.socket]](), None
    winner: asyncio.Task[socket.socket] | None = None
    try:
        while left or pending:
            if left:
                tries.append(asyncio.create_task(_connect(*left.popleft())))
                pending.add(tries[-1])
            done, pending = await asyncio.wait(
                pending, timeout=_HEAD_START if left else None, return_when=asyncio.FIRST_COMPLETED
            )
            winner = next((task for task in done if task.exception() is None), None)
            if winner:
                return winner.result()
            error = next((task.exception() for task in done), error)
        assert error
        raise error
    finally:
        for task in tries:
            if task is not winner and not task.cancel() and not task.cancelled() and task.exception() is None:
                task.result().close()  # it connected at the same moment


async def _connect(family: int, address: Any) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setblocking(False)
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(one, address)
    except BaseException:
        one.close()
        raise
    return one

"""How often and by how many connections each host is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_MOST = 10_000  # hosts that are remembered; more are forgotten when nobody asks them


@dataclass(slots=True)
class _Host:
    free: asyncio.Semaphore
    users: int = 0
    next: float = field(default=0.0)  # when the loop's clock allows the next request


class Hosts:
    """Lets requests through: so many to all hosts at a time, so many to each, so many to each in a second.

    connections, per_host: most requests in flight. rate: most requests per second and host; 0 is no limit.
    """

    def __init__(self, connections: int, per_host: int, rate: float) -> None:
        self._all = asyncio.Semaphore(connections)
        self._per_host, self._pause = per_host, 1 / rate if rate else 0.0
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def turn(self, name: str) -> AsyncIterator[None]:
        """Waits until the host may be asked once more; the request is over when the context ends."""
        host = self._hosts.get(name)
        if host is None:
            self._forget_idle()
            host = self._hosts[name] = _Host(asyncio.Semaphore(self._per_host))
        host.users += 1
        try:
            async with host.free:
                await self._wait(host)
                async with self._all:  # last, so that a slow host keeps no connection from the others
                    yield
        finally:
            host.users -= 1

    async def _wait(self, host: _Host) -> None:
        now = asyncio.get_running_loop().time()
        at = max(now, host.next)
        host.next = at + self._pause
        if at > now:
            await asyncio.sleep(at - now)

    def _forget_idle(self) -> None:
        if len(self._hosts) < _MOST:
            return
        now = asyncio.get_running_loop().time()
        self._hosts = {name: host for name, host in self._hosts.items() if host.users or host.next > now}

"""Limits on requests: how many run at a time, and how many per second each host receives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_MOST = 10_000  # hosts that are remembered; beyond that, idle ones are forgotten


@dataclass(slots=True)
class _Host:
    free: asyncio.Semaphore
    users: int = 0
    next: float = field(default=0.0)  # when the loop's clock allows the next request


class Hosts:
    """Limits the requests to all hosts together and to each host.

    connections: most requests in flight. per_host: most of them to one host. rate: most requests to one host per
    second; 0 is no limit.
    """

    def __init__(self, connections: int, per_host: int, rate: float) -> None:
        self._all = asyncio.Semaphore(connections)
        self._per_host, self._pause = per_host, 1 / rate if rate else 0.0
        self._hosts: dict[str, _Host] = {}

    @asynccontextmanager
    async def turn(self, name: str, limited: bool = True) -> AsyncIterator[None]:
        """Wait until one more request to the host is allowed. It is in flight until the context ends.

        limited: whether the limits for one host apply; the hosts of stores of buckets bear any number of requests.
        """
        if not limited:
            async with self._all:
                yield
            return
        host = self._hosts.get(name)
        if host is None:
            self._forget_idle()
            host = self._hosts[name] = _Host(asyncio.Semaphore(self._per_host))
        host.users += 1
        try:
            async with host.free:
                await self._wait(host)
                async with self._all:  # last, so that requests that wait for a slow host do not use up the connections
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

"""Resolves host names and checks the addresses; a connection uses only addresses that were checked."""

from __future__ import annotations

import asyncio
import socket
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tornado.netutil import Resolver

from facesieve.sources.remote.address import Network, is_allowed

Answers = list[tuple[int, Any]]  # address families and socket addresses, as Tornado connects to them
Lookup = Callable[[str, int, int], Answers]

_THREADS = 32  # `getaddrinfo` blocks, and takes seconds where a name server is silent
_KEPT = 4096  # names
_FRESH = 60.0  # seconds that an answer is used; it was checked, so keeping it longer is no risk


class ForbiddenAddressError(OSError):
    """The host of a URL leads to an address that is not allowed."""


class CheckingResolver(Resolver):
    """Resolves as the system does, and refuses a host when one of its addresses is forbidden.

    Tornado asks it for addresses in URLs too, in whatever notation the system understands (`0x7f.1`, `2130706433`).
    admitted: networks that are allowed although they are not public. lookup: asks the system; tests pass their own.
    """

    # Tornado constructs subclasses of Configurable through `initialize`.
    def initialize(self, admitted: Sequence[Network] = (), lookup: Lookup | None = None) -> None:
        self._admitted = tuple(admitted)
        self._lookup = lookup or _system_lookup
        self._threads = ThreadPoolExecutor(_THREADS, "dns")
        self._known: OrderedDict[tuple[str, int, int], tuple[float, Answers]] = OrderedDict()

    async def resolve(self, host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC) -> Answers:
        """Addresses of the host. Raises ForbiddenAddressError, and OSError where there are none."""
        loop, question = asyncio.get_running_loop(), (host, port, int(family))
        since, answers = self._known.get(question, (0.0, []))
        if not answers or loop.time() - since > _FRESH:
            answers = await loop.run_in_executor(self._threads, self._lookup, *question)
            if not answers:
                raise OSError(f"{host} has no address")
            for _, address in answers:
                if not is_allowed(str(address[0]), self._admitted):
                    raise ForbiddenAddressError(f"{host} leads to {address[0]}")
            self._known[question] = (loop.time(), answers)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return answers

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _system_lookup(host: str, port: int, family: int) -> Answers:
    found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
    return [(int(kind), address) for kind, _, _, _, address in found]

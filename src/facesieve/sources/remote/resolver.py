"""Resolves host names and checks the addresses; a connection uses only addresses that were checked."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from facesieve.sources.remote.address import Network, is_allowed

Answers = list[tuple[int, Any]]  # address families and socket addresses
Lookup = Callable[[str, int, int], Answers]

_THREADS = 32  # `getaddrinfo` blocks, and takes seconds where a name server is silent
_KEPT = 4096  # names
_FRESH = 60.0  # seconds that an answer is used; it was checked, so keeping it longer is no risk


class ForbiddenAddressError(OSError):
    """The host of a URL leads to an address that is not allowed."""


class CheckingResolver:
    """Resolves as the system does, and refuses a host when one of its addresses is forbidden.

    It is asked for addresses in URLs too, in whatever notation the system understands (`0x7f.1`, `2130706433`).
    admitted: networks that are allowed although they are not public. lookup: asks the system; tests pass their own.
    """

    def __init__(self, admitted: Sequence[Network] = (), lookup: Lookup | None = None) -> None:
        self._admitted = tuple(admitted)
        self._lookup = lookup or _system_lookup
        self._threads = asyncio.Semaphore(_THREADS)
        self._known: OrderedDict[tuple[str, int], tuple[float, Answers]] = OrderedDict()

    async def resolve(self, host: str, port: int) -> Answers:
        """Addresses of the host, at least one. Raises ForbiddenAddressError, and OSError where there are none."""
        loop, question = asyncio.get_running_loop(), (host, port)
        since, answers = self._known.get(question, (0.0, []))
        if not answers or loop.time() - since > _FRESH:
            answers = await self._looked_up(host, port)
            if not answers:
                raise OSError(f"{host} has no address")
            for _, address in answers:
                if not is_allowed(str(address[0]), self._admitted):
                    raise ForbiddenAddressError(f"{host} leads to {address[0]}")
            self._known[question] = (loop.time(), answers)
            while len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return answers

    async def _looked_up(self, host: str, port: int) -> Answers:
        """What the system answers. Its thread cannot be ended, and must not keep the program from ending either."""
        loop = asyncio.get_running_loop()
        await self._threads.acquire()
        result: asyncio.Future[Answers] = loop.create_future()

        def finish(answers: Answers, error: Exception | None) -> None:
            self._threads.release()
            if result.cancelled():
                return
            if error:
                result.set_exception(error)
            else:
                result.set_result(answers)

        def run() -> None:
            answers, error = Answers(), None
            try:
                answers = self._lookup(host, port, socket.AF_UNSPEC)
            except Exception as raised:
                error = raised
            with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
                loop.call_soon_threadsafe(finish, answers, error)

        try:
            threading.Thread(target=run, name="dns", daemon=True).start()
        except RuntimeError as error:
            self._threads.release()
            raise OSError(f"no thread to look up {host}") from error
        return await result


def _system_lookup(host: str, port: int, family: int) -> Answers:
    found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
    return [(int(kind), address) for kind, _, _, _, address in found]

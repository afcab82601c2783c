"""Repeats a call to Redis until Redis answers, because it may be away for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.exceptions import BusyLoadingError, ConnectionError, TimeoutError

Result = TypeVar("Result")

_AWAY = (ConnectionError, TimeoutError, BusyLoadingError, OSError)
_FIRST, _LONGEST = 0.1, 5.0  # seconds between two tries


class RetryUntilAnswered:
    """Repeats each call until Redis answers it. A call that changes something must have the same effect when repeated.

    announce: called with one line when Redis goes away, and one when it is back.
    """

    def __init__(self, announce: Callable[[str], None]) -> None:
        self._announce = announce
        self._away = False

    async def __call__(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """What the call returns. Waits as long as Redis is away; cancel it to give up."""
        pause = _FIRST
        while True:
            try:
                result = await call()
            except _AWAY as error:
                if not self._away:
                    self._away = True
                    self._announce(f"Redis does not answer ({error}); trying again until it does.")
                await asyncio.sleep(pause)
                pause = min(_LONGEST, pause * 2)
                continue
            if self._away:
                self._away = False
                self._announce("Redis answers again.")
            return result

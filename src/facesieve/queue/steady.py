"""Redis may go away and come back: a call is made again until it is answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.exceptions import BusyLoadingError, ConnectionError, TimeoutError

Result = TypeVar("Result")

_AWAY = (ConnectionError, TimeoutError, BusyLoadingError, OSError)
_FIRST, _LONGEST = 0.1, 5.0  # seconds between two tries


class Steady:
    """Makes calls until Redis answers them. Calls that change something must be harmless when they are made twice.

    say: called with one line when Redis goes away, and one when it is back.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._away = False

    async def __call__(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """What the call returns, however long Redis is away. Cancel it to give up."""
        pause = _FIRST
        while True:
            try:
                result = await call()
            except _AWAY as error:
                if not self._away:
                    self._away = True
                    self._say(f"Redis does not answer ({error}); trying again until it does.")
                await asyncio.sleep(pause)
                pause = min(_LONGEST, pause * 2)
                continue
            if self._away:
                self._away = False
                self._say("Redis answers again.")
            return result

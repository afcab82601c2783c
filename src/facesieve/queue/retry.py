"""Repeats a call to Redis until Redis answers, because it may be away for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.exceptions import RedisError, ResponseError

from facesieve.queue.connection import command_refused, is_permanent

Result = TypeVar("Result")

_FIRST, _LONGEST = 0.1, 5.0  # seconds between two tries
_NO_GROUP = ("NOGROUP", "UNBLOCKED")  # the stream or its group was deleted


class RetryUntilAnswered:
    """Repeats each call until Redis answers it. A call that changes something must have the same effect when repeated.

    prepare: makes the stream and the group again when somebody has deleted them.
    announce: called with one line when Redis goes away, and one when it is back.
    """

    def __init__(self, prepare: Callable[[], Awaitable[None]], announce: Callable[[str], None]) -> None:
        self._prepare, self._announce = prepare, announce
        self._away = False

    async def __call__(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """What the call returns, however long Redis is away. Cancel it to give up.

        Raises UsageError `queue_refused` for an error that stays, such as a wrong password.
        """
        pause, deleted = _FIRST, False
        while True:
            try:
                if deleted:
                    await self._prepare()
                result = await call()
            except (RedisError, OSError) as error:
                if is_permanent(error):
                    raise command_refused(error) from error
                deleted = isinstance(error, ResponseError) and any(word in str(error) for word in _NO_GROUP)
                if not self._away:
                    self._away = True
                    self._announce(
                        f"Redis does not answer as it should ({str(error).rstrip('.')}); trying again until it does."
                    )
                await asyncio.sleep(pause)
                pause = min(_LONGEST, pause * 2)
                continue
            if self._away:
                self._away = False
                self._announce("Redis answers again.")
            return result

"""Fetches the pictures of requests that send a URL, before they wait for a worker.

So no worker waits for a slow host while other pictures are here already. `fetch_connections` URLs may be fetched at a
time, and clients share them fairly. The bytes count as bytes of the request while they arrive.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from facesieve.errors import Refused
from facesieve.records import RefusalCode
from facesieve.service.api_errors import ApiError, error_of
from facesieve.service.fair_places import FairPlaces
from facesieve.service.fair_queue import Client
from facesieve.service.metrics import Metrics
from facesieve.settings import Settings
from facesieve.sources.remote.buffer import Full
from facesieve.sources.remote.fetch import Fetcher

_BUSY = "The service fetches as many URLs as it may, or holds as many bytes; try again after Retry-After seconds."
_LATE = "The host did not deliver the picture within the deadline of the request."
_SHARE = 0.9  # of the time until the deadline; the rest is for the picture itself


@dataclass(slots=True, eq=False)
class _Fetch:
    """A fetch that holds a place."""

    client: Client
    task: asyncio.Task[bytes]
    may_lose: bool = True
    lost: bool = False

    def lose(self) -> None:
        self.lost = True
        self.task.cancel()


class Fetches:
    """The fetches of one service. Build it in the event loop that it is used in.

    settings: those of the pipeline, with the limits of the service. busy: makes the error for a client that must wait.
    """

    def __init__(self, settings: Settings, metrics: Metrics, busy: Callable[[str], ApiError]) -> None:
        self._fetcher = Fetcher(settings)
        self._largest = settings.max_file_bytes
        self._places = FairPlaces(settings.fetch_connections)
        self._metrics, self._busy = metrics, busy
        metrics.watch_fetches(lambda: len(self._places))

    async def fetch(self, client: Client, url: str, deadline: float, hold: Callable[[int], bool]) -> bytes:
        """The bytes behind a URL.

        deadline: of the request, on the loop's clock. hold: called with the number of bytes that have arrived; it
        returns False if there is no room for them.
        Raises ApiError with the code of a refusal, and `busy`.
        """
        try:
            data = await self._fetch(client, url, deadline, hold)
        except ApiError as error:
            self._metrics.fetches.labels(error.code).inc()
            raise
        except asyncio.CancelledError:
            self._metrics.fetches.labels("cancelled").inc()
            raise
        self._metrics.fetches.labels("fetched").inc()
        return data

    async def _fetch(self, client: Client, url: str, deadline: float, hold: Callable[[int], bool]) -> bytes:
        def arriving(size: int) -> None:
            if not hold(size):
                raise Full

        loop = asyncio.get_running_loop()
        one = _Fetch(client, loop.create_task(self._fetcher.fetch(url, arriving)))
        if not self._places.enter(one):
            one.task.cancel()
            raise self._busy(_BUSY)
        try:
            async with asyncio.timeout((deadline - loop.time()) * _SHARE):
                return await one.task
        except TimeoutError:
            raise error_of(RefusalCode.FETCH_TIMEOUT, _LATE) from None
        except Full:
            raise self._busy(_BUSY) from None
        except Refused as refused:
            raise self._error(refused) from None
        except asyncio.CancelledError:
            if one.lost:
                raise self._busy(_BUSY) from None
            raise
        finally:
            self._places.leave(one)

    def _error(self, refused: Refused) -> ApiError:
        message = refused.message
        if refused.code is RefusalCode.TOO_MANY_BYTES:
            message = f"The picture at the URL has more bytes than max_image_bytes ({self._largest:,})."
        return error_of(refused.code, message)

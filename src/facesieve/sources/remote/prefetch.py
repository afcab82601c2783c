"""Fetches pictures behind URLs, and objects of buckets, while earlier ones are used; sources stay in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING
from weakref import WeakSet

from facesieve.errors import Refused
from facesieve.records import Source
from facesieve.settings import Settings
from facesieve.sources.openers import Memory, RefusedOpener
from facesieve.sources.remote.buffer import Buffer, Full
from facesieve.sources.remote.remote import COUNTED, Remote, failed
from facesieve.sources.remote.thread import FetchThread

if TYPE_CHECKING:  # h11 belongs to an extra
    from facesieve.sources.remote.resolver import Lookup

_PREFETCHED_PER_CONNECTION = 4  # pictures that are requested before they are needed
_POLL_SECONDS = 1.0  # between two calls of `waiting`


class UrlPrefetch:
    """Fetches pictures behind URLs in a thread of its own, many at a time, within `fetch_buffer_bytes`.

    The thread starts with the first URL, and ends with this object.
    """

    def __init__(self, settings: Settings, lookup: Lookup | None = None) -> None:
        self._settings, self._lookup = settings, lookup
        self._thread: FetchThread | None = None

    def __call__(self, sources: Iterable[Source], waiting: Callable[[], None] = lambda: None) -> Iterator[Source]:
        """Yields the same sources in order. Those behind URLs have their bytes, or are refused.

        From the first URL on, sources are taken before they are needed. waiting: called about once per second while
        this waits for a picture. Raises UsageError `no_cloud` where h11 is not installed.
        """
        run: _Run | None = None
        remaining, window = iter(sources), deque[Source | _PendingPicture]()
        try:
            while True:
                while not window or (
                    run and len(window) < _PREFETCHED_PER_CONNECTION * self._settings.fetch_connections
                ):
                    source = next(remaining, None)
                    if source is None:
                        break
                    if isinstance(source.open, Remote):
                        self._thread = self._thread or FetchThread(self._settings, self._lookup)
                        run = run or _Run(self._thread, self._settings.fetch_buffer_bytes)
                        window.append(run.begin(source, source.open.url))
                    else:
                        window.append(source)
                        if source.open is None or isinstance(source.open, Memory):  # it holds a whole picture
                            break
                if not window:
                    return
                first = window.popleft()
                yield first if isinstance(first, Source) else first.wait(waiting)
                del first
        finally:
            if run:
                run.close()


class _Run:
    """The fetches for one call of `UrlPrefetch`."""

    def __init__(self, thread: FetchThread, buffer_bytes: int) -> None:
        self._thread = thread
        self._buffer = Buffer(buffer_bytes)
        self._numbers = count()
        self._futures = WeakSet[Future[None]]()

    def begin(self, source: Source, url: str) -> _PendingPicture:
        """Fetch a picture as soon as there is room."""
        number = next(self._numbers)
        box: list[bytes] = []
        future = self._thread.start(self._fetch(url, number, box))
        self._futures.add(future)
        return _PendingPicture(
            source, future, box, partial(self._thread.loop.call_soon_threadsafe, self._buffer.take, number)
        )

    def close(self) -> None:
        """Stop the fetches whose pictures are not needed any more."""
        self._thread.loop.call_soon_threadsafe(self._buffer.close)
        for future in self._futures:
            future.cancel()

    async def _fetch(self, url: str, number: int, box: list[bytes]) -> None:
        size = 0
        try:
            while True:
                await self._buffer.acquire(number)
                with suppress(Full):
                    # Not in a variable: an error that was raised here before may keep this frame.
                    box.append(await self._thread.fetcher.fetch(url, partial(self._buffer.arriving, number)))
                    size = len(box[0])
                    return
        finally:
            self._buffer.finish(number, size)


@dataclass(frozen=True, slots=True)
class _PendingPicture:
    """A source whose bytes are being fetched.

    done: when they are in the box. As the result of `done` they would live until its references are collected.
    take: releases their room in the buffer.
    """

    source: Source
    done: Future[None]
    box: list[bytes]
    take: Callable[[], object]

    def wait(self, waiting: Callable[[], None]) -> Source:
        """Wait until the picture was fetched or refused, and return the source with its bytes or its refusal."""
        while True:
            try:
                self.done.result(_POLL_SECONDS)
                opener: Memory | RefusedOpener = Memory(self.box.pop())
                break
            except TimeoutError:
                waiting()
            except Refused as refused:
                opener = RefusedOpener(refused.code, refused.message)
                break
        self.take()
        source = replace(self.source, open=opener)
        if isinstance(opener, RefusedOpener) and opener.code in COUNTED and isinstance(self.source.open, Remote):
            return replace(source, fingerprint=failed(self.source.open.failures + 1))
        return source

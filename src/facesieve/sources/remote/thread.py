"""A thread with an event loop in which URLs are fetched."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from facesieve.buckets import Stores
from facesieve.errors import UsageError
from facesieve.settings import Settings

if TYPE_CHECKING:  # h11 belongs to an extra
    from facesieve.sources.remote.fetch import Fetcher
    from facesieve.sources.remote.resolver import Lookup

Result = TypeVar("Result")


class FetchThread:
    """An event loop in a thread of its own, and the fetcher that belongs to it. Both end with this object.

    writing: whether objects of buckets will be written. Raises UsageError `no_cloud` where h11 is not installed.
    """

    def __init__(self, settings: Settings, lookup: Lookup | None = None, writing: bool = False) -> None:
        try:
            from facesieve.sources.remote.fetch import Fetcher
        except ImportError as error:
            message = "Fetching URLs needs the extra `cloud`: pip install 'facesieve[cloud]'."
            raise UsageError("no_cloud", message) from error
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=_run_loop, args=(self.loop,), name="fetch", daemon=True).start()
        weakref.finalize(self, self.loop.call_soon_threadsafe, self.loop.stop)  # also if there will be no fetcher
        self.fetcher = self.wait(_create_fetcher(Fetcher, settings, lookup, writing))

    def wait(self, work: Coroutine[Any, Any, Result]) -> Result:
        """What a coroutine returns or raises that runs in the thread. A signal that ends the wait ends the work too."""
        future = self.start(work)
        try:
            return future.result()
        finally:
            future.cancel()

    def start(self, work: Coroutine[Any, Any, Result]) -> Future[Result]:
        """Begin a coroutine in the thread. To cancel its future cancels it, and ignores what it raises after that."""
        future = Future[Result]()
        self.loop.call_soon_threadsafe(_begin, self.loop, work, future)
        return future


def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


def _begin(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Result], future: Future[Result]) -> None:
    """Run a coroutine, and settle its future.

    `asyncio.run_coroutine_threadsafe` does not look at the error of a task whose future was cancelled, so asyncio would
    print it.
    """
    task = loop.create_task(work)

    def settle(task: asyncio.Task[Result]) -> None:
        error = None if task.cancelled() else task.exception()
        if task.cancelled():
            future.cancel()
        if not future.set_running_or_notify_cancel():
            return
        if error is None:
            future.set_result(task.result())
        else:
            future.set_exception(error)

    def follow(future: Future[Result]) -> None:
        if future.cancelled() and not loop.is_closed():
            loop.call_soon_threadsafe(task.cancel)

    task.add_done_callback(settle)
    future.add_done_callback(follow)


async def _create_fetcher(fetcher: type[Fetcher], settings: Settings, lookup: Lookup | None, writing: bool) -> Fetcher:
    """A fetcher belongs to the loop in which it is made."""
    return fetcher(settings, lookup, Stores(writing))

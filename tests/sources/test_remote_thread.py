"""The thread in which URLs are fetched: its futures."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
from concurrent.futures import CancelledError

import pytest

from facesieve.settings import Settings
from facesieve.sources.remote.thread import FetchThread

pytest.importorskip("h11")


@pytest.fixture(scope="module")
def thread() -> FetchThread:
    return FetchThread(Settings())


async def value() -> int:
    return 7


async def fault() -> None:
    raise ValueError("no store")


def test_a_future_holds_what_its_coroutine_returns_or_raises(thread: FetchThread) -> None:
    assert thread.start(value()).result(60) == 7
    assert thread.wait(value()) == 7
    with pytest.raises(ValueError, match="no store"):
        thread.start(fault()).result(60)
    with pytest.raises(ValueError, match="no store"):
        thread.wait(fault())


def test_a_coroutine_that_is_cancelled_cancels_its_future(thread: FetchThread) -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    with pytest.raises(CancelledError):
        thread.start(cancelled()).result(60)


def test_to_cancel_a_future_ends_its_coroutine_and_what_that_raises_then_is_printed_nowhere(
    thread: FetchThread, caplog: pytest.LogCaptureFixture
) -> None:
    begun, ended = threading.Event(), threading.Event()

    async def loses_its_lease() -> None:
        try:
            begun.set()
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            raise ValueError("the lease is lost") from None
        finally:
            ended.set()

    future = thread.start(loses_its_lease())
    assert begun.wait(60)
    assert future.cancel()
    assert ended.wait(60)
    del future
    thread.wait(value())  # the loop has settled the task
    with caplog.at_level(logging.ERROR, "asyncio"):
        gc.collect()
    assert not caplog.records

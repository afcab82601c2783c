"""The next batch is decoded while the last is used: one ahead, in order, and nothing is left behind."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator

import numpy as np
import pytest

from facesieve.decode import prefetch


def decoding() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_all_items_come_in_order_and_the_thread_ends(count: int) -> None:
    assert list(prefetch(iter(range(count)))) == list(range(count))
    assert decoding() == []


def test_the_next_item_is_drawn_while_one_is_used_and_no_more_than_that() -> None:
    drawn, enough = [], threading.Semaphore(0)

    def items() -> Iterator[int]:
        for item in range(10):
            drawn.append(item)
            enough.release()
            yield item

    coming = prefetch(items())
    for used in range(9):
        assert next(coming) == used
        for _ in range(2 if used == 0 else 1):
            assert enough.acquire(timeout=10)
        assert drawn == list(range(used + 2))
    coming.close()


def test_an_item_that_may_be_empty_is_not_taken_for_the_end() -> None:
    assert list(prefetch(iter([[], None, 0, [1]]))) == [[], None, 0, [1]]


def test_an_exception_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    coming = prefetch(items())
    assert next(coming) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(coming)
    assert decoding() == []


def test_whoever_stops_early_leaves_no_thread() -> None:
    coming = prefetch(iter(range(10)))
    assert next(coming) == 0
    assert len(decoding()) == 1
    coming.close()
    assert decoding() == []


def test_an_item_that_was_used_is_not_held() -> None:
    coming = prefetch(np.zeros(3) for _ in range(3))
    first = weakref.ref(next(coming))
    gc.collect()
    assert first() is None
    coming.close()

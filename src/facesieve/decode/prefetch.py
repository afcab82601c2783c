"""Read and decode the next pictures while the networks run: files and decoders release Python's lock."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def prefetch(items: Iterator[Item]) -> Iterator[Item]:
    """Yield the same items in order. While the caller uses one item, a thread makes the next one, but not more.

    An exception of `items` is raised here, after the items before it. The thread ends with this generator.
    """
    with ThreadPoolExecutor(1, "decode") as thread:
        coming = thread.submit(_drawn, items)
        while drawn := coming.result():
            coming = thread.submit(_drawn, items)
            yield drawn.pop()


def _drawn(items: Iterator[Item]) -> list[Item]:
    """The next item in a list, or []. The caller empties the list, so that nothing else holds the item."""
    return list(islice(items, 1))

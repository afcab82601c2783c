"""Reading and decoding go on while the networks work: files and decoders wait and compute without Python's lock."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def prefetch(items: Iterator[Item]) -> Iterator[Item]:
    """Yield the same items in order. A thread draws the next item while the last one is used; never more than one.

    An exception of `items` is raised here, in its turn. The thread ends with this generator.
    """
    with ThreadPoolExecutor(1, "decode") as thread:
        coming = thread.submit(_drawn, items)
        while drawn := coming.result():
            coming = thread.submit(_drawn, items)
            yield drawn.pop()


def _drawn(items: Iterator[Item]) -> list[Item]:
    """The next item as a list of one, which the caller empties: a batch is not held longer than it is used."""
    return list(islice(items, 1))

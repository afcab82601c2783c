"""Reading and decoding go on while the networks work: files and decoders wait and compute without Python's lock."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items in order, the next one drawn in a thread while the last is used; never more than one.

    What drawing raises is raised here, in its turn. The thread ends with this generator, however that ends.
    """
    with ThreadPoolExecutor(1, "decode") as thread:
        coming = thread.submit(_drawn, items)
        while drawn := coming.result():
            coming = thread.submit(_drawn, items)
            yield drawn.pop()


def _drawn(items: Iterator[Item]) -> list[Item]:
    """The next item as a list of one, which whoever takes it empties: a batch is not held longer than it is used."""
    return list(islice(items, 1))

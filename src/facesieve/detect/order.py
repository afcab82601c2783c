"""Best first, and which first of equals: P-Net's scores saturate, so windows tie by the hundred, and order moves boxes.

mtcnn 0.1.1 reads `numpy.argsort` from its end, which is not stable. Its recorded answers come from a machine where that
is the vector sort for AVX-512 of numpy 1.25 and 1.26; with any simpler rule that was tried one face in 140 moves. So
that order is kept, on every machine. Sources: Bramas, "A Novel Hybrid Quicksort Algorithm Vectorized using AVX-512 on
Intel Skylake" (2017), and Batcher, "Sorting networks and their applications" (1968).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from facesieve.records import Floats, Indices

LANES = 8  # indices in a vector
NETWORK = 64  # most keys that go to a sorting network


def best_first(scores: Floats) -> Indices:
    """Indices (N,) of finite scores (N,) float64, the highest first, equal ones as the reference has them."""
    order = np.argsort(scores)
    ordered = scores[order]
    tied = (ordered[1:] == ordered[:-1]).any()
    return (vector_order(scores) if tied else order)[::-1]


def vector_order(keys: Floats) -> Indices:
    """`numpy.argsort(keys)` for finite keys (N,), as numpy 1.25 and 1.26 order equal ones on AVX-512."""
    order = np.arange(len(keys))
    short = list(_quicksort(keys, order, tries=2 * (len(keys).bit_length() - 1)))
    padded = np.full((len(short), NETWORK), len(keys))
    for row, span in zip(padded, short, strict=True):
        row[: len(span)] = span
    _network(np.append(keys, np.inf), padded)
    for row, span in zip(padded, short, strict=True):
        span[:] = row[: len(span)]
    return order


def _quicksort(keys: Floats, order: Indices, tries: int) -> Iterator[Indices]:
    """Partition a span of indices in place until parts are short; those are left to sort, and given."""
    if len(order) <= NETWORK:
        yield order
        return
    own = keys[order]
    if not tries:  # few distinct keys: numpy goes on with another unstable sort
        order[:] = order[np.argsort(own, kind="stable")]
        return
    pivot = np.sort(own[(len(order) - 1) // LANES * np.arange(1, LANES + 1)])[LANES // 2]
    middle = _partition(order, own < pivot)
    if pivot != own.min():
        yield from _quicksort(keys, order[:middle], tries - 1)
    if pivot != own.max():
        yield from _quicksort(keys, order[middle:], tries - 1)


def _partition(order: Indices, lower: np.ndarray) -> int:
    """Indices whose keys are lower to the left, others to the right, in place; how many are lower.

    One by one until whole chunks are left, then by vectors, each written to both ends of the gap between what is done.
    """
    chunk = LANES * (4 if len(order) > 256 else 1)
    left, right = 0, len(order)
    for _ in range(len(order) % chunk):
        if lower[left]:
            left += 1
        else:
            right -= 1
            for column in (order, lower):
                column[[left, right]] = column[[right, left]]
    low = lower[left:right].reshape(-1, chunk)
    turns = _turns(low.sum(axis=1).tolist(), chunk)
    low = low[turns].reshape(-1, LANES)
    vectors = order[left:right].reshape(-1, chunk)[turns].reshape(-1, LANES)
    order[left:right] = np.concatenate([vectors[low], vectors[::-1][~low[::-1]]])
    return left + int(low.sum())


def _turns(lows: Sequence[int], chunk: int) -> list[int]:
    """In which turn chunks are written, of which so many are lower: from the side that has less room before it.

    The first and the last are set aside to open the gap.
    """
    left, right = 1, len(lows) - 1
    begin, end = 0, len(lows) * chunk  # of the gap
    turns = []
    while left < right:
        if end - right * chunk < left * chunk - begin:
            right -= 1
            turns.append(right)
        else:
            turns.append(left)
            left += 1
        begin += lows[turns[-1]]
        end -= chunk - lows[turns[-1]]
    return [*turns, 0, len(lows) - 1]


def _network(keys: Floats, rows: Indices) -> None:
    """Bitonic sort of every row of indices (N, 64) in place: only what is greater changes places."""
    for low, high in PAIRS:
        first, second = rows[:, low], rows[:, high]
        greater = keys[first] > keys[second]
        rows[:, low] = np.where(greater, second, first)
        rows[:, high] = np.where(greater, first, second)


def _pairs() -> Iterator[tuple[Indices, Indices]]:
    """Which places are compared, step by step: mirrored within blocks that double, then at distances that halve."""
    places = np.arange(NETWORK)
    for stage in range(1, NETWORK.bit_length()):
        for flip in [2**stage - 1, *(2**step for step in reversed(range(stage - 1)))]:
            low = places[places < places ^ flip]
            yield low, low ^ flip


PAIRS = tuple(_pairs())

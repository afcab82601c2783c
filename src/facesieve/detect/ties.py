"""Sorts scores with the highest first, and equal scores in the order of the reference.

P-Net's scores saturate, so hundreds of windows have the same score. Their order decides where the final boxes are.
mtcnn 0.1.1 reads `numpy.argsort` backwards, and that sort is not stable. The published answers come from a machine
where it is the vector sort of NumPy 1.25 and 1.26 for AVX-512. With every simpler rule that we tried, one face in 140
gets another box. So this module computes that order on every machine. Sources: Bramas, "A Novel Hybrid Quicksort
Algorithm Vectorized using AVX-512 on Intel Skylake" (2017), and Batcher, "Sorting networks and their applications"
(1968).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from facesieve.records import Floats, Indices

LANES = 8  # indices in a vector
NETWORK = 64  # a sorting network sorts at most this many keys


def best_first(scores: Floats) -> Indices:
    """Indices (N,) intp that sort finite scores (N,) float64: highest first, equal ones in the reference's order."""
    order = np.argsort(scores)
    ordered = scores[order]
    tied = (ordered[1:] == ordered[:-1]).any()
    return (avx512_order(scores) if tied else order)[::-1]


def avx512_order(keys: Floats) -> Indices:
    """`numpy.argsort(keys)` of finite keys (N,) float64, as NumPy 1.25 and 1.26 order equal keys on AVX-512."""
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
    """Partition the indices in place until the parts are short, and yield each part that is still to be sorted."""
    if len(order) <= NETWORK:
        yield order
        return
    own = keys[order]
    if not tries:  # few distinct keys: NumPy continues with another sort
        order[:] = order[np.argsort(own, kind="stable")]
        return
    pivot = np.sort(own[(len(order) - 1) // LANES * np.arange(1, LANES + 1)])[LANES // 2]
    middle = _partition(order, own < pivot)
    if pivot != own.min():
        yield from _quicksort(keys, order[:middle], tries - 1)
    if pivot != own.max():
        yield from _quicksort(keys, order[middle:], tries - 1)


def _partition(order: Indices, lower: np.ndarray) -> int:
    """Move indices with lower keys to the left and the others to the right, in place; return how many are lower.

    lower: (N,) boolean, whether the key of each index is lower than the pivot. Single indices are moved first, until
    whole chunks are left. Then vectors are written to both ends of the gap between the indices that are in place.
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
    order_of_chunks = _chunk_order(low.sum(axis=1).tolist(), chunk)
    low = low[order_of_chunks].reshape(-1, LANES)
    vectors = order[left:right].reshape(-1, chunk)[order_of_chunks].reshape(-1, LANES)
    order[left:right] = np.concatenate([vectors[low], vectors[::-1][~low[::-1]]])
    return left + int(low.sum())


def _chunk_order(lows: Sequence[int], chunk: int) -> list[int]:
    """The order in which chunks are written: the next one comes from the side of the gap that has less room.

    lows: how many indices of each chunk have lower keys. chunk: how many indices a chunk has. The first and the last
    chunk are kept back to open the gap, and are written at the end.
    """
    left, right = 1, len(lows) - 1
    begin, end = 0, len(lows) * chunk  # of the gap
    chosen = []
    while left < right:
        if end - right * chunk < left * chunk - begin:
            right -= 1
            chosen.append(right)
        else:
            chosen.append(left)
            left += 1
        begin += lows[chosen[-1]]
        end -= chunk - lows[chosen[-1]]
    return [*chosen, 0, len(lows) - 1]


def _network(keys: Floats, rows: Indices) -> None:
    """Sort every row of indices (N, 64) by their keys in place, bitonically; equal keys are never exchanged."""
    for low, high in PAIRS:
        first, second = rows[:, low], rows[:, high]
        greater = keys[first] > keys[second]
        rows[:, low] = np.where(greater, second, first)
        rows[:, high] = np.where(greater, first, second)


def _pairs() -> Iterator[tuple[Indices, Indices]]:
    """The positions that each step of the network compares.

    Each stage first mirrors blocks of twice the size, and then compares positions at half the distance in each step.
    """
    positions = np.arange(NETWORK)
    for stage in range(1, NETWORK.bit_length()):
        for flip in [2**stage - 1, *(2**step for step in reversed(range(stage - 1)))]:
            low = positions[positions < positions ^ flip]
            yield low, low ^ flip


PAIRS = tuple(_pairs())

"""The nearest of many crop hashes to each of many others."""

from __future__ import annotations

import numpy as np

from facesieve.records import Floats, Indices, Pixels
from facesieve.relate.hash_bits import BITS, words_of
from facesieve.relate.hash_search import HashSearch

NONE_NEAR = 1.0  # the distance of a hash to which no other is near
SPAN = 512  # more than the bits of a hash


def nearest_hash(hashes: Pixels, others: Pixels, mirrored: Pixels) -> tuple[Floats, Indices]:
    """For each of (N, 32) hashes, the share of the bits that differ from the nearest of (M, 32) others, and its row.

    1 and -1 if none is near, NaN and -1 for a hash that is all zero. Of equally near ones the first counts.
    """
    there, known = np.flatnonzero(hashes.any(axis=1)), np.flatnonzero(others.any(axis=1))
    words = np.concatenate([words_of(others[known]), words_of(hashes[there])])
    search = HashSearch(words, words_of(mirrored[None])[0], np.full(len(words), -1), None)
    best = np.full(len(words), len(words) * SPAN)  # how many bits differ, and the row of the other, as one number
    for first, second, differ in search.near(np.arange(len(words))):
        across = (first < len(known)) & (second >= len(known))
        np.minimum.at(best, second[across], differ[across] * len(words) + first[across])
    distance, row = np.full(len(hashes), np.nan), np.full(len(hashes), -1, np.intp)
    bits, at = np.divmod(best[len(known) :], max(len(words), 1))
    distance[there] = np.where(bits < SPAN, bits / BITS, NONE_NEAR)
    row[there[bits < SPAN]] = known[at[bits < SPAN]]
    return distance, row

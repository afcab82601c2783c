"""The bits of crop hashes: how many differ, and samples of them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from facesieve.records import Floats, Indices, Mask, Pixels

BITS = 255  # of a hash that vary
SAMPLES, SAMPLED, OF_LOWEST = 24, 20, 81  # samples, their bits, and the lowest frequencies that they are taken from
SEED = 1  # of the samples, which are the same on every machine

Words = npt.NDArray[np.uint64]


def distances(one: Pixels, hashes: Pixels, mirrored: Pixels) -> Floats:
    """(N,) the share of the bits that differ between one hash, (32,), and each of (N, 32), at best mirrored.

    one: may also be (N, 32), one for each of the others.
    """
    ours, others, flip = words_of(np.atleast_2d(one)), words_of(hashes), words_of(mirrored[None])
    straight, turned = (
        sum(count_bits(column) for column in (others ^ ours ^ bits).T) for bits in (np.uint64(0) * flip, flip)
    )
    return np.asarray(np.minimum(straight, turned) / BITS, np.float64)


def words_of(hashes: Pixels) -> Words:
    """(N, 4) uint64 from (N, 32) uint8; the first bit is the highest of the first word."""
    return np.ascontiguousarray(hashes).view(">u8").astype(np.uint64)


def count_bits(words: Words) -> Indices:
    """(N,) how many bits of each word are set."""
    if hasattr(np, "bitwise_count"):  # NumPy 2
        counts: Indices = np.bitwise_count(words).astype(np.intp)
        return counts
    halves = np.ascontiguousarray(words).view(np.uint8).reshape(len(words), 8)
    summed: Indices = np.unpackbits(halves, axis=1).sum(axis=1).astype(np.intp)
    return summed


class HashColumns:
    """N hashes, arranged so that the ones near to one of them are found fast. hashes: (N, 32), zero where unknown."""

    def __init__(self, hashes: Pixels, mirrored: Pixels) -> None:
        self._words = np.ascontiguousarray(words_of(hashes).T)
        self._flip = words_of(mirrored[None])[0]
        self._known: Mask = np.asarray(hashes.any(axis=1))

    def __len__(self) -> int:
        return len(self._known)

    def near(self, row: int, share: float) -> Indices:
        """The rows of other hashes that differ in at most this share of the bits, at best mirrored; nearest first."""
        if not self._known[row]:
            return np.zeros(0, np.intp)
        most, own = int(share * BITS + 1e-9), self._words[:, row]
        found = [self._within(own, most), self._within(own ^ self._flip, most)]
        rows, differ = (np.concatenate(column) for column in zip(*found, strict=True))
        order = np.lexsort((rows, differ))
        rows, first = np.unique(rows[order], return_index=True)
        rows = rows[np.argsort(first, kind="stable")]
        others: Indices = rows[(rows != row) & self._known[rows]]
        return others

    def _within(self, own: Words, most: int) -> tuple[Indices, Indices]:
        """Rows, and how many of their bits differ. Half of the bits leave few rows to compare in whole."""
        half = count_bits(self._words[0] ^ own[0]) + count_bits(self._words[1] ^ own[1])
        rows = np.flatnonzero(half <= most)
        differ = half[rows]
        for words, bits in zip(self._words[2:], own[2:], strict=True):
            differ = differ + count_bits(words[rows] ^ bits)
        near = differ <= most
        return rows[near], differ[near]


def samples() -> list[Indices]:
    random = np.random.RandomState(SEED)  # its numbers are the same in every version of NumPy
    return [np.sort(random.permutation(np.arange(1, OF_LOWEST))[:SAMPLED]) for _ in range(SAMPLES)]


def sampled_bits(words: Words, sample: Indices) -> npt.NDArray[np.uint32]:
    """(N,) the bits of a sample as one number."""
    keys = np.zeros(len(words), np.uint32)
    for bit in sample.tolist():
        word, position = divmod(bit, 64)
        keys = (keys << np.uint32(1)) | ((words[:, word] >> np.uint64(63 - position)) & np.uint64(1)).astype(np.uint32)
    return keys

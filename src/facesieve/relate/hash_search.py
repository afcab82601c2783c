"""Pairs of faces whose crop hashes are near.

Two faces are near if few bits of their hashes differ, also after mirroring. Where both have an embedding, more bits may
differ, and the embeddings have to be near too.

    faces ─┬ same label: all pairs, up to 4,096 faces of a label ───────────────┬ near
           ├ both with an embedding: pairs with near embeddings ────────────────┤
           └ all others: pairs with equal bits in one of 24 samples of the hash ┘
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from facesieve.records import Indices, Mask
from facesieve.relate.embedded import Embedded
from facesieve.relate.hash_bits import Words, count_bits, sampled_bits, samples
from facesieve.relate.near_pairs import near_pairs

# Most bits that differ between near-duplicates, by measurement: see docs/measures.md. Among all faces of a large
# dataset there are many more pairs of strangers than in one label, so fewer bits may differ there.
NEAR_IN_LABEL, NEAR_ANYWHERE = 61, 41
EXACT = 4096  # most faces of a label whose pairs are all compared
PREDECESSORS, FIRST = 128, 8  # faces with the same sampled bits that a face is compared with
AT_ONCE = 1 << 19  # pairs

Pairs = tuple[Indices, Indices, Indices]  # the fitter face, the other one, how many bits differ


@dataclass(frozen=True, slots=True, eq=False)
class HashSearch:
    """M faces sorted by fitness, and the pairs of near ones. words: (M, 4) the hashes. mirrored: (4,)."""

    words: Words
    mirrored: Words
    labels: Indices
    embedded: Embedded | None

    def near(self, rows: Indices) -> Iterator[Pairs]:
        """Yield pairs of near faces among some rows, in ascending order, the fitter one first. Some occur twice."""
        yield from self._in_labels(rows)
        lacking = np.ones(len(rows), bool)
        if self.embedded:
            yield from self._with_near_embeddings(rows, self.embedded)
            lacking = self.embedded.lacking(rows)
        if not lacking.any():
            return
        without = np.zeros(len(self.words), bool)
        without[rows] = lacking
        for sample in samples() if len(rows) > 1 else []:
            for fitter, other, flipped in self._with_equal_bits(rows, sample):
                wanted = without[fitter] | without[other]
                fitter, other, flipped = fitter[wanted], other[wanted], flipped[wanted]
                yield self._near_only(fitter, other, self._differing(fitter, other, flipped))

    def _with_near_embeddings(self, rows: Indices, embedded: Embedded) -> Iterator[Pairs]:
        for one, two in near_pairs(embedded.vectors[rows], embedded.space, embedded.limit):
            fitter, other = rows[one], rows[two]
            for start in range(0, len(one), AT_ONCE):
                some = slice(start, start + AT_ONCE)
                yield self._near_only(fitter[some], other[some], self._least_differing(fitter[some], other[some]))

    def _in_labels(self, rows: Indices) -> Iterator[Pairs]:
        rows = rows[self.labels[rows] >= 0]
        rows = rows[np.argsort(self.labels[rows], kind="stable")]
        for group in np.split(rows, np.flatnonzero(np.diff(self.labels[rows])) + 1):
            if not 1 < len(group) <= EXACT:
                continue
            step = AT_ONCE // len(group)
            for start in range(0, len(group), step):
                later = np.arange(len(group)) > np.arange(start, min(start + step, len(group)))[:, None]
                at, to = np.nonzero(later)
                fitter, other = group[at + start], group[to]
                yield self._near_only(fitter, other, self._least_differing(fitter, other))

    def _with_equal_bits(self, rows: Indices, sample: Indices) -> Iterator[tuple[Indices, Indices, Mask]]:
        """Yield pairs of rows whose bits are equal in a sample, and whether one of the two is mirrored.

        Few faces have equal bits. Where many have, each is compared with those just before it and with the first ones.
        """
        keys = sampled_bits(self.words[rows], sample)
        flip = sampled_bits(self.mirrored[None], sample)[0]
        keys = np.concatenate([keys, keys ^ flip])
        turned = np.arange(len(keys)) >= len(rows)
        position = np.concatenate([np.arange(len(rows))] * 2)
        order = np.lexsort((position, keys))
        keys, turned, position = keys[order], turned[order], rows[position[order]]
        start = np.searchsorted(keys, keys)
        inside = np.arange(len(keys)) - start
        for offset in range(1, PREDECESSORS + 1):
            later = np.flatnonzero(inside >= offset)
            if not len(later):
                return
            yield from _different_faces(position, turned, later - offset, later)
        for offset in range(FIRST):
            later = np.flatnonzero(inside > PREDECESSORS + offset)
            if len(later):
                yield from _different_faces(position, turned, start[later] + offset, later)

    def _least_differing(self, fitter: Indices, other: Indices) -> Indices:
        """How many bits differ in each pair, at best mirrored."""
        straight, turned = (self._differing(fitter, other, np.full(len(other), flip)) for flip in (False, True))
        return np.minimum(straight, turned)

    def _differing(self, fitter: Indices, other: Indices, flipped: Mask) -> Indices:
        total = np.zeros(len(fitter), np.intp)
        for word in range(self.words.shape[1]):
            column = self.words[:, word]
            total += count_bits(column[fitter] ^ column[other] ^ np.where(flipped, self.mirrored[word], np.uint64(0)))
        return total

    def _near_only(self, fitter: Indices, other: Indices, differ: Indices) -> Pairs:
        same = (self.labels[fitter] == self.labels[other]) & (self.labels[fitter] >= 0)
        near = differ <= np.where(same, NEAR_IN_LABEL, NEAR_ANYWHERE)
        if self.embedded:
            close = differ <= self.embedded.bits
            maybe = np.flatnonzero(near | close)
            apart = self.embedded.apart(fitter[maybe], other[maybe])
            agree = close[maybe] & (apart <= self.embedded.limit)
            near[maybe] = np.where(np.isnan(apart), near[maybe], agree)
        return fitter[near], other[near], differ[near]


def _different_faces(
    position: Indices, turned: Mask, one: Indices, two: Indices
) -> Iterator[tuple[Indices, Indices, Mask]]:
    """Yield pairs of different faces of which at most one is mirrored, the fitter one first."""
    for start in range(0, len(one), AT_ONCE):
        a, b = one[start : start + AT_ONCE], two[start : start + AT_ONCE]
        usable = (position[a] != position[b]) & ~(turned[a] & turned[b])
        a, b = a[usable], b[usable]
        yield np.minimum(position[a], position[b]), np.maximum(position[a], position[b]), turned[a] | turned[b]

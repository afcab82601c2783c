"""Near-duplicates: faces whose crops are nearly the same picture.

Two faces are near if few bits of their hashes differ, also after mirroring. Where both have an embedding, more bits may
differ, and the embeddings have to be near too. Faces are taken from the fittest to the
least fit: one that is near to no first face of a group becomes the first of a new group, and every other one joins the
fittest first face that it is near to. So every face of a group is near to its first face.

    faces ─┬ same label: all pairs, up to 4,096 faces of a label ───────────────┬ near ─ rounds ─ groups ─ ranks
           ├ both with an embedding: pairs with near embeddings ────────────────┤
           └ all others: pairs with equal bits in one of 24 samples of the hash ┘

Memory grows only with the number of faces, by about 300 bytes each besides their embeddings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from facesieve.records import Floats, Indices, Mask, Pixels
from facesieve.relate.near_pairs import near_pairs
from facesieve.relate.rank_in_picture import ranks_in_groups
from facesieve.relate.space import Space, Vectors

BITS = 255  # of a hash that vary
# Most bits that differ between near-duplicates, by measurement: see docs/measures.md. Among all faces of a large
# dataset there are many more pairs of strangers than in one label, so fewer bits may differ there.
NEAR_IN_LABEL, NEAR_ANYWHERE = 61, 41
EXACT = 4096  # most faces of a label whose pairs are all compared
SAMPLES, SAMPLED, OF_LOWEST = 24, 20, 81  # samples, their bits, and the lowest frequencies that they are taken from
SEED = 1  # of the samples, which are the same on every machine
PREDECESSORS, FIRST = 128, 8  # faces with the same sampled bits that a face is compared with
AT_ONCE = 1 << 19  # pairs
EMBEDDINGS_AT_ONCE = 1 << 15  # pairs
SPAN = 512  # more than the bits of a hash
NONE_NEAR = 1.0  # twin_distance of a face without a near-duplicate

Words = npt.NDArray[np.uint64]
Pairs = tuple[Indices, Indices, Indices]  # the fitter face, the other one, how many bits differ


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """The embeddings of N faces, and when two faces with embeddings are near.

    vectors: (N, D), NaN for a face without one. limit: the greatest distance of near ones. bits: the most bits of their
    hashes that differ.
    """

    vectors: Vectors
    space: Space
    limit: float
    bits: int

    def take(self, rows: Indices) -> Embedded:
        """The embeddings of some faces."""
        return Embedded(self.vectors[rows], self.space, self.limit, self.bits)

    def lacking(self, rows: Indices) -> Mask:
        """(M,) which of these faces have no embedding."""
        parts = (rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE))
        return np.concatenate([np.zeros(0, bool), *(np.isnan(self.vectors[part, 0]) for part in parts)])

    def apart(self, one: Indices, other: Indices) -> Floats:
        """(P,) how far apart pairs of faces are; NaN if one of them has no embedding."""
        points = self.space.points
        some = [slice(start, start + EMBEDDINGS_AT_ONCE) for start in range(0, len(one), EMBEDDINGS_AT_ONCE)]
        pairs = ((points(self.vectors[one[part]]), points(self.vectors[other[part]])) for part in some)
        return np.concatenate([np.zeros(0), *(self.space.apart(a, b) for a, b in pairs)])


@dataclass(frozen=True, slots=True, eq=False)
class Duplicates:
    """The near-duplicates among N faces.

    twin_distance: (N,) share of the bits that differ from the face's twin; 1 if it has none. twin: (N,) the row of the
    twin, -1 for none. The twin of the first face of a group is the nearest of the others, the twin of another face is
    the first. rank_among_duplicates: (N,) from 1, the fittest. All are NaN or -1 for faces that were not compared.
    """

    twin_distance: Floats
    rank_among_duplicates: Floats
    twin: Indices


def find_duplicates(
    hashes: Pixels,
    mirrored: Pixels,
    labels: Indices,
    fitness: Floats,
    among: Mask,
    embedded: Embedded | None = None,
) -> Duplicates:
    """The near-duplicates among some of N faces.

    hashes: (N, 32) uint8; all zero for a face without a hash, which is not compared. mirrored: (32,) the bits that
    differ in the hash of a mirrored crop. labels: (N,) a number for each label, -1 for none. fitness: (N,); of equally
    fit faces the earlier row counts as fitter, and NaN is the least fit. among: (N,) boolean. embedded: the embeddings
    of the faces, if they have any.
    """
    rows = np.flatnonzero(among & hashes.any(axis=1))
    rows = rows[np.argsort(-np.nan_to_num(fitness[rows], nan=-1.0), kind="stable")]
    held = embedded.take(rows) if embedded else None
    search = _Search(_words(hashes[rows]), _words(mirrored[None])[0], labels[rows], held)
    first, bits = _groups(search)
    total = len(hashes)
    result = Duplicates(np.full(total, np.nan), np.full(total, np.nan), np.full(total, -1, np.intp))
    if not len(rows):
        return result
    own = np.arange(len(rows))
    others = np.flatnonzero(first != own)
    twin, distance = np.where(first != own, first, -1), bits / BITS
    nearest = others[np.lexsort((others, bits[others], first[others]))]
    heads, at = np.unique(first[nearest], return_index=True)
    twin[heads], distance[heads] = nearest[at], distance[nearest[at]]
    distance[twin < 0] = NONE_NEAR
    result.twin_distance[rows] = distance
    result.twin[rows] = np.where(twin < 0, -1, rows[twin])
    order = np.lexsort((own, first))
    result.rank_among_duplicates[:] = ranks_in_groups(first[order], rows[order], total)
    return result


def distances(one: Pixels, hashes: Pixels, mirrored: Pixels) -> Floats:
    """(N,) the share of the bits that differ between one hash, (32,), and each of (N, 32), at best mirrored.

    one: may also be (N, 32), one for each of the others.
    """
    ours, others, flip = _words(np.atleast_2d(one)), _words(hashes), _words(mirrored[None])
    straight, turned = (
        sum(_count(column) for column in (others ^ ours ^ bits).T) for bits in (np.uint64(0) * flip, flip)
    )
    return np.asarray(np.minimum(straight, turned) / BITS, np.float64)


def nearest_hash(hashes: Pixels, others: Pixels, mirrored: Pixels) -> tuple[Floats, Indices]:
    """For each of (N, 32) hashes, the share of the bits that differ from the nearest of (M, 32) others, and its row.

    1 and -1 if none is near, NaN and -1 for a hash that is all zero. Of equally near ones the first counts.
    """
    there, known = np.flatnonzero(hashes.any(axis=1)), np.flatnonzero(others.any(axis=1))
    words = np.concatenate([_words(others[known]), _words(hashes[there])])
    search = _Search(words, _words(mirrored[None])[0], np.full(len(words), -1), None)
    best = np.full(len(words), len(words) * SPAN)  # how many bits differ, and the row of the other, as one number
    for first, second, differ in search.near(np.arange(len(words))):
        across = (first < len(known)) & (second >= len(known))
        np.minimum.at(best, second[across], differ[across] * len(words) + first[across])
    distance, row = np.full(len(hashes), np.nan), np.full(len(hashes), -1, np.intp)
    bits, at = np.divmod(best[len(known) :], max(len(words), 1))
    distance[there] = np.where(bits < SPAN, bits / BITS, NONE_NEAR)
    row[there[bits < SPAN]] = known[at[bits < SPAN]]
    return distance, row


def _groups(search: _Search) -> tuple[Indices, Indices]:
    """(M,) the first face of each face's group, and how many bits differ from it. Faces are sorted by fitness.

    In each round, faces that are near to no fitter undecided face become the first of a group, and the faces near to
    these are decided. The result is the same as if faces were taken one by one.
    """
    total = len(search.words)
    first, bits, undecided = np.arange(total), np.zeros(total, np.intp), np.arange(total)
    while len(undecided):
        beaten = np.zeros(total, bool)
        for _, other, _ in search.near(undecided):
            beaten[other] = True
        heads = np.zeros(total, bool)
        heads[undecided[~beaten[undecided]]] = True
        joined = np.full(total, total * SPAN)  # the first face that it joins, and how many bits differ, as one number
        if beaten.any():
            for fitter, other, differ in search.near(undecided):
                to_head = heads[fitter]
                np.minimum.at(joined, other[to_head], fitter[to_head] * SPAN + differ[to_head])
        found = np.flatnonzero(joined < total * SPAN)
        first[found], bits[found] = np.divmod(joined[found], SPAN)
        undecided = undecided[~heads[undecided] & (first[undecided] == undecided)]
    return first, bits


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
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
        for sample in _samples() if len(rows) > 1 else []:
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
        keys = _sampled(self.words[rows], sample)
        flip = _sampled(self.mirrored[None], sample)[0]
        keys = np.concatenate([keys, keys ^ flip])
        turned = np.arange(len(keys)) >= len(rows)
        place = np.concatenate([np.arange(len(rows))] * 2)
        order = np.lexsort((place, keys))
        keys, turned, place = keys[order], turned[order], rows[place[order]]
        start = np.searchsorted(keys, keys)
        inside = np.arange(len(keys)) - start
        for offset in range(1, PREDECESSORS + 1):
            later = np.flatnonzero(inside >= offset)
            if not len(later):
                return
            yield from _different_faces(place, turned, later - offset, later)
        for offset in range(FIRST):
            later = np.flatnonzero(inside > PREDECESSORS + offset)
            if len(later):
                yield from _different_faces(place, turned, start[later] + offset, later)

    def _least_differing(self, fitter: Indices, other: Indices) -> Indices:
        """How many bits differ in each pair, at best mirrored."""
        straight, turned = (self._differing(fitter, other, np.full(len(other), flip)) for flip in (False, True))
        return np.minimum(straight, turned)

    def _differing(self, fitter: Indices, other: Indices, flipped: Mask) -> Indices:
        total = np.zeros(len(fitter), np.intp)
        for word in range(self.words.shape[1]):
            column = self.words[:, word]
            total += _count(column[fitter] ^ column[other] ^ np.where(flipped, self.mirrored[word], np.uint64(0)))
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
    place: Indices, turned: Mask, one: Indices, two: Indices
) -> Iterator[tuple[Indices, Indices, Mask]]:
    """Yield pairs of different faces of which at most one is mirrored, the fitter one first."""
    for start in range(0, len(one), AT_ONCE):
        a, b = one[start : start + AT_ONCE], two[start : start + AT_ONCE]
        usable = (place[a] != place[b]) & ~(turned[a] & turned[b])
        a, b = a[usable], b[usable]
        yield np.minimum(place[a], place[b]), np.maximum(place[a], place[b]), turned[a] | turned[b]


def _samples() -> list[Indices]:
    random = np.random.RandomState(SEED)  # its numbers are the same in every version of NumPy
    return [np.sort(random.permutation(np.arange(1, OF_LOWEST))[:SAMPLED]) for _ in range(SAMPLES)]


def _sampled(words: Words, sample: Indices) -> npt.NDArray[np.uint32]:
    """(N,) the bits of a sample as one number."""
    keys = np.zeros(len(words), np.uint32)
    for bit in sample.tolist():
        word, place = divmod(bit, 64)
        keys = (keys << np.uint32(1)) | ((words[:, word] >> np.uint64(63 - place)) & np.uint64(1)).astype(np.uint32)
    return keys


def _words(hashes: Pixels) -> Words:
    """(N, 4) uint64 from (N, 32) uint8; the first bit is the highest of the first word."""
    return np.ascontiguousarray(hashes).view(">u8").astype(np.uint64)


def _count(words: Words) -> Indices:
    """(N,) how many bits of each word are set."""
    if hasattr(np, "bitwise_count"):  # NumPy 2
        counts: Indices = np.bitwise_count(words).astype(np.intp)
        return counts
    halves = np.ascontiguousarray(words).view(np.uint8).reshape(len(words), 8)
    summed: Indices = np.unpackbits(halves, axis=1).sum(axis=1).astype(np.intp)
    return summed

"""Tracks of one person joined by embeddings: the person left and returned, or a cut came between."""

from __future__ import annotations

import numpy as np

from facesieve.records import Floats, Floats32, Indices, Mask

MOST = 4000  # tracks that are compared; further ones stay as they are


def merged_tracks(tracks: Indices, frame: Indices, embeddings: Floats32, limit: float) -> Indices:
    """(N,) the numbers of tracks after merging, from 0 in the order in which tracks begin.

    Two tracks are merged, the nearest first, if the means of their embeddings are no further apart than `limit` and
    they share no frame. (Two faces of one frame are two people.) tracks: (N,) the numbers before. embeddings: (N, D)
    float32, NaN for a face without one.
    """
    there: Mask = ~np.asarray(np.isnan(embeddings).any(axis=1))
    numbers = np.unique(tracks[there])[:MOST]
    if len(numbers) < 2:
        return tracks
    groups = [_Group(number, tracks, frame, embeddings, there) for number in numbers.tolist()]
    means = np.stack([group.mean for group in groups])
    owner = np.arange(len(groups))
    for one, other in _near_pairs(means, limit):
        first, second = int(owner[one]), int(owner[other])
        if first == second or not groups[first].may_join(groups[second], limit):
            continue
        groups[first].join(groups[second])
        owner[owner == second] = first
    return _renumbered(tracks, numbers, numbers[owner])


class _Group:
    """Tracks that are one person: the sum of their embeddings, and their frames."""

    def __init__(self, number: int, tracks: Indices, frame: Indices, embeddings: Floats32, there: Mask) -> None:
        mine = tracks == number
        held = embeddings[mine & there].astype(np.float64)
        self.total, self.count, self.frames = held.sum(axis=0), len(held), set(frame[mine].tolist())

    @property
    def mean(self) -> Floats:
        return np.asarray(self.total / self.count)

    def may_join(self, other: _Group, limit: float) -> bool:
        near = float(np.linalg.norm(self.mean - other.mean)) <= limit
        return near and self.frames.isdisjoint(other.frames)

    def join(self, other: _Group) -> None:
        self.total, self.count = self.total + other.total, self.count + other.count
        self.frames |= other.frames


def _near_pairs(means: Floats, limit: float) -> list[tuple[int, int]]:
    """Pairs of means within the limit, the nearest first."""
    squares = (means**2).sum(axis=1)
    apart = np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * means @ means.T, 0))
    one, other = np.nonzero(np.triu(apart <= limit, 1))
    order = np.argsort(apart[one, other], kind="stable")
    return list(zip(one[order].tolist(), other[order].tolist(), strict=True))


def _renumbered(tracks: Indices, old: Indices, new: Indices) -> Indices:
    """The tracks with new numbers, then numbered in the order in which they begin."""
    renamed = np.arange(int(tracks.max()) + 1)
    renamed[old] = new
    merged = renamed[tracks]
    _, first, which = np.unique(merged, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.intp)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[which]

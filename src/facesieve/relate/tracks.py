"""Tracks: the faces of one person in consecutive frames of a clip.

Merging two people is worse than splitting one, so a face that could belong to two tracks begins a new one, and no track
continues after a cut. With embeddings, tracks of the same person are merged at the end.

    frames in order ─ live tracks of the scene ─ predicted position + likeness of the crops ─ unambiguous pairs ─ tracks
                                                                            tracks ─ embeddings ─ merged tracks
"""

from __future__ import annotations

import numpy as np

from facesieve.records import Floats, Floats32, Indices, Mask, Pixels
from facesieve.relate.merged_tracks import merged_tracks

LOST = 1.0  # seconds without a face after which a track ends
# A face continues a track if it looks like one of its last faces and is not far from where it was expected ...
ALIKE, FAR = 0.36, 1.5  # share of the bits of two hashes that differ, and face sizes
# ... or if it is at that position, soon after, alone, and differs from the last face not much more than is usual there.
NEAR, NEAR_NEW = 0.6, 1.0  # face sizes from the expected position; for a new track, whose speed is not known
SOON, ALONE = 0.5, 1.2  # seconds after the last face; face sizes within which there is no other face or track
FIRST_STEP = 0.25  # share of bits that is taken for usual in a new track
TIMES_USUAL, MOST_UNLIKE = 2.0, 0.47  # factor on the usual share, and the greatest share
SAME_SIZE = 0.4  # greatest difference of the logarithms of two sizes
REMEMBERED = 3  # faces of a track that a face is compared with: the last one may be partly covered
MARGIN = 0.2  # by which the best partner of a face must be better than the second
LARGE = 1e9  # the cost of a pair that is impossible


def find_tracks(
    frame: Indices,
    time: Floats,
    scene: Indices,
    boxes: Floats,
    hashes: Pixels,
    embeddings: Floats32 | None = None,
    embedding_limit: float = 0.0,
) -> Indices:
    """(N,) the number of each face's track, from 0 in the order in which tracks begin.

    The faces of one clip, in the order of their frames. frame: (N,) numbers. time: (N,) seconds. scene: (N,) numbers.
    boxes: (N, 4) x, y, w, h in pixels. hashes: (N, 32) uint8 of the crops; all zero for none.
    embeddings: (N, D) float32, NaN for a face without one; tracks whose mean embeddings are no further apart than
    `embedding_limit` and that share no frame are then merged.
    """
    tracks = np.full(len(frame), -1, np.intp)
    live = _Live()
    starts = np.flatnonzero(np.diff(frame, prepend=-1))
    for rows in np.split(np.arange(len(frame)), starts[1:]) if len(frame) else []:
        tracks[rows] = live.assign(time[rows[0]], int(scene[rows[0]]), _centres(boxes[rows]), hashes[rows])
    return tracks if embeddings is None else merged_tracks(tracks, frame, embeddings, embedding_limit)


class _Live:
    """The tracks that may still continue.

    positions: (T, 3) x, y of the centre and the size of the last face. speeds: (T, 2) pixels per second, of the centre.
    hashes: (T, REMEMBERED, 32) of the last faces, the latest first.
    steps: (T,) the share of the bits that usually differ between two faces of the track.
    """

    def __init__(self) -> None:
        self._begun, self._scene = 0, -1
        self._clear()

    def _clear(self) -> None:
        self._numbers, self._times = np.zeros(0, np.intp), np.zeros(0)
        self._positions, self._speeds = np.zeros((0, 3)), np.zeros((0, 2))
        self._hashes, self._steps = np.zeros((0, REMEMBERED, 32), np.uint8), np.zeros(0)

    def assign(self, time: float, scene: int, positions: Floats, hashes: Pixels) -> Indices:
        """(F,) the numbers of the tracks of the faces of the next frame."""
        if scene != self._scene:
            self._clear()
            self._scene = scene
        self._keep(time - self._times <= LOST)
        differ = _least_differing(self._hashes, hashes)
        partner = _pairs(self._costs(time, positions, differ))
        known = partner >= 0
        numbers = np.empty(len(positions), np.intp)
        numbers[known] = self._numbers[partner[known]]
        numbers[~known] = self._begun + np.arange((~known).sum())
        self._begun += int((~known).sum())
        speeds = np.zeros((len(positions), 2))
        passed = time - self._times[partner[known]]
        speeds[known] = (positions[known, :2] - self._positions[partner[known], :2]) / passed[:, None]
        steps = np.full(len(positions), FIRST_STEP)
        steps[known] = (self._steps[partner[known]] + differ[partner[known], known]) / 2
        memory = np.repeat(hashes[:, None], REMEMBERED, axis=1)
        memory[known, 1:] = self._hashes[partner[known], :-1]
        gone = np.ones(len(self._numbers), bool)
        gone[partner[known]] = False
        self._keep(gone)
        self._numbers = np.concatenate([self._numbers, numbers])
        self._times = np.concatenate([self._times, np.full(len(positions), time)])
        self._positions = np.concatenate([self._positions, positions])
        self._speeds = np.concatenate([self._speeds, speeds])
        self._hashes, self._steps = np.concatenate([self._hashes, memory]), np.concatenate([self._steps, steps])
        return numbers

    def _keep(self, which: Mask) -> None:
        self._numbers, self._times = self._numbers[which], self._times[which]
        self._positions, self._speeds = self._positions[which], self._speeds[which]
        self._hashes, self._steps = self._hashes[which], self._steps[which]

    def _costs(self, time: float, positions: Floats, differ: Floats) -> Floats:
        """(T, F) how badly each face fits each track; `LARGE` if it cannot belong to it."""
        expected = self._positions[:, :2] + self._speeds * (time - self._times)[:, None]
        size = (self._positions[:, None, 2] + positions[None, :, 2]) / 2
        apart = np.linalg.norm(expected[:, None] - positions[None, :, :2], axis=2) / size
        grown = np.abs(np.log(positions[None, :, 2] / self._positions[:, None, 2]))
        soon = (time - self._times <= SOON)[:, None]
        usual = np.minimum(TIMES_USUAL * self._steps + 0.05, MOST_UNLIKE)[:, None]
        near = np.where(self._speeds.any(axis=1), NEAR, NEAR_NEW)[:, None]
        there = (apart <= near) & (differ <= usual) & soon & _alone(apart <= ALONE)
        possible = (differ <= ALIKE) & (apart <= FAR) | there
        return np.where(possible & (grown <= SAME_SIZE), apart + grown + 4 * differ, LARGE)


def _pairs(costs: Floats) -> Indices:
    """(F,) the track of each face, -1 for none.

    Each must be the best for the other, and better than the second best by `MARGIN`.
    """
    faces = costs.shape[1]
    if not costs.size:
        return np.full(faces, -1, np.intp)
    best = np.argmin(costs, axis=0)
    at = costs[best, np.arange(faces)]
    clear = (at < LARGE) & (_second(costs, axis=0) - at >= MARGIN)
    mutual = np.argmin(costs[best], axis=1) == np.arange(faces)
    rivals = _second(costs, axis=1)[best] - at >= MARGIN
    return np.where(clear & mutual & rivals, best, -1)


def _alone(near: Mask) -> Mask:
    """(T, F) whether a track and a face have no other face and no other track near them."""
    faces, tracks = near.sum(axis=1)[:, None], near.sum(axis=0)[None]
    alone: Mask = (faces <= 1) & (tracks <= 1)
    return alone


def _second(costs: Floats, axis: int) -> Floats:
    """The second lowest cost along an axis; very large if there is only one."""
    if costs.shape[axis] == 1:
        return np.full(costs.shape[1 - axis], 2 * LARGE)
    return np.asarray(np.partition(costs, 1, axis=axis).take(1, axis=axis), np.float64)


def _centres(boxes: Floats) -> Floats:
    """(F, 3) x, y of the centres, and the sizes of the boxes."""
    size = np.sqrt(np.maximum(boxes[:, 2] * boxes[:, 3], 1.0))
    return np.stack([boxes[:, 0] + boxes[:, 2] / 2, boxes[:, 1] + boxes[:, 3] / 2, size], axis=1)


def _least_differing(remembered: Pixels, hashes: Pixels) -> Floats:
    """(T, F) how much each face differs from the face of each track that is most like it."""
    each = [_differing(remembered[:, at], hashes) for at in range(REMEMBERED)]
    return np.asarray(np.minimum.reduce(each))


def _differing(one: Pixels, other: Pixels) -> Floats:
    """(T, F) the share of the bits that differ between hashes; 1 if one of them is missing."""
    bits = np.unpackbits(one[:, None] ^ other[None], axis=2).sum(axis=2) / (8 * one.shape[1])
    unknown = ~(np.asarray(one.any(axis=1))[:, None] & np.asarray(other.any(axis=1))[None])
    return np.where(unknown, 1.0, bits)

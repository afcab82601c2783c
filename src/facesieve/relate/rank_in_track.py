"""The best shots of a track, all of them different."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from facesieve.records import Floats, Indices, Mask

POSE_STEP = 30.0  # degrees; faces whose yaw and pitch round to the same multiple of it have about the same pose
RANKED = 1000  # most shots of one track that get a rank


def track_length(track: Indices, among: Mask) -> Floats:
    """(N,) how many faces the track of each face has, whether or not they passed the rules.

    track: (N,) the number of each face's track, from 0.
    """
    return np.bincount(track, minlength=1)[track].astype(np.float64)


def rank_in_track(
    track: Indices, time: Floats, fitness: Floats, yaw: Floats, pitch: Floats, gap: float, among: Mask
) -> Floats:
    """(N,) rank of each face among the distinct shots of its track; NaN for every other face.

    The fittest face of a track is its first shot. Each further shot is the fittest face that differs from all shots
    before it: by `gap` seconds or more, or by its pose.
    track: (N,) the number of each face's track, from 0. time: (N,) seconds. fitness, yaw, pitch: (N,) as the measures;
    NaN is the least fit, and a pose of its own. Of equally fit faces the earlier row comes first. among: (N,) boolean.
    """
    ranks, rows = np.full(len(track), np.nan), np.flatnonzero(among)
    alone = np.bincount(track[rows], minlength=1)[track[rows]] == 1
    ranks[rows[alone]] = 1.0
    rows = rows[~alone]
    order = rows[np.lexsort((-np.nan_to_num(fitness[rows], nan=-1.0), track[rows]))]
    pose = np.stack([_step(yaw), _step(pitch)], axis=1)
    for group in np.split(order, np.flatnonzero(np.diff(track[order])) + 1):
        shots = _distinct(time[group], pose[group], gap)
        ranks[group[shots]] = np.arange(1, len(shots) + 1)
    return ranks


def track_relations(
    track: Indices, time: Floats, fitness: Floats, yaw: Floats, pitch: Floats, gap: float
) -> dict[str, Callable[[Mask], Floats]]:
    """The relations of faces in one track by name, each a function of the faces that it is computed among.

    The arguments are those of `rank_in_track`.
    """
    return {
        "track_length": partial(track_length, track),
        "rank_in_track": partial(rank_in_track, track, time, fitness, yaw, pitch, gap),
    }


def _step(angle: Floats) -> Floats:
    return np.nan_to_num(np.round(angle / POSE_STEP), nan=99.0)


def _distinct(time: Floats, pose: Floats, gap: float) -> list[int]:
    """The ranks of the distinct shots. The faces of a track are sorted, the fittest first."""
    shots, left = list[int](), np.ones(len(time), bool)
    while left.any() and len(shots) < RANKED:
        best = int(np.argmax(left))
        shots.append(best)
        left &= (np.abs(time - time[best]) >= gap) | (pose != pose[best]).any(axis=1)
        left[best] = False
    return shots

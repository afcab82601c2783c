"""Which faces are taken where there are too many of a pose or of a label: the fittest, of many poses."""

from __future__ import annotations

import numpy as np

from facesieve.export.facts import Facts
from facesieve.records import Floats, Indices, Integers, Mask


def balanced(facts: Facts, among: Mask, split: Integers, groups: int) -> Mask:
    """(N,) the faces to take so that in each split every yaw bin that has faces has equally many.

    among: the faces to choose from. groups: how many yaw bins there are; a face without a pose is in none.
    """
    rows = np.flatnonzero(among & (facts.pose >= 0))
    cell = split[rows] * groups + facts.pose[rows] % groups
    counts = np.bincount(cell, minlength=0)
    least = {
        part: int(held[held > 0].min())
        for part in np.unique(split[rows]).tolist()
        if (held := counts[part * groups : (part + 1) * groups]).any()
    }
    most = np.array([least[part] for part in split[rows].tolist()], np.int64)
    return _mask(rows[_ranks(cell, facts.fitness[rows]) < most], len(facts))


def frequent(facts: Facts, among: Mask, least: int) -> Mask:
    """(N,) the faces whose label has at least `least` of the faces to choose from."""
    counts = np.bincount(facts.label[among], minlength=len(facts.labels))
    return among & (counts[facts.label] >= least) if len(facts) else among


def fittest(facts: Facts, among: Mask, most: int) -> Mask:
    """(N,) at most `most` faces of each label: the fittest of each pose bin, then the second of each, and so on."""
    rows = np.flatnonzero(among)
    bins = int(facts.pose.max(initial=0)) + 2
    round_ = _ranks(facts.label[rows] * bins + facts.pose[rows] + 1, facts.fitness[rows])
    worse = -np.nan_to_num(facts.fitness[rows], nan=-1.0)
    order = np.lexsort((rows, worse, round_, facts.label[rows]))
    return _mask(rows[order[_positions(facts.label[rows][order]) < most]], len(facts))


def _ranks(group: Integers, fitness: Floats) -> Integers:
    """(M,) the position of each face in its group by fitness, from 0; a face without a fitness is last."""
    order = np.lexsort((np.arange(len(group)), -np.nan_to_num(fitness, nan=-1.0), group))
    ranks = np.empty(len(group), np.int64)
    ranks[order] = _positions(group[order])
    return ranks


def _positions(group: Integers) -> Integers:
    """(M,) the position of each element in its group, from 0. Elements of one group are next to each other."""
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    sizes = np.diff(np.append(starts, len(group)))
    return np.arange(len(group)) - np.repeat(starts, sizes)


def _mask(rows: Indices, total: int) -> Mask:
    found = np.zeros(total, bool)
    found[rows] = True
    return found

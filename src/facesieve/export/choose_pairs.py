"""Verification pairs: ten folds of different people, each with equally many pairs of one person and of two.

Pairs are chosen by hashes, so the same seed and faces always make the same pairs. Protocol: Huang et al., *Labeled
Faces in the Wild*, 2007; its folds have no person in common either.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np

from facesieve.errors import UsageError
from facesieve.export.facts import Facts
from facesieve.export.split import hashes
from facesieve.records import Indices, Mask

FOLDS = 10
_TRIES = 20  # draws for each pair of two people that is wanted; some repeat an earlier pair
MOST_OF_LABEL = 32  # faces of one label from which pairs of one person are made


class Pair(NamedTuple):
    """Two rows of faces, whether they are one person, and the fold that the pair belongs to."""

    first: int
    second: int
    same: bool
    fold: int


def choose_pairs(facts: Facts, among: Mask, wanted: int, seed: int) -> tuple[Pair, ...]:
    """At most `wanted` pairs of the faces to choose from, fold by fold; in each, first the pairs of one person.

    There are ten folds, or fewer if there are too few people; all have equally many pairs. The two pictures of a pair
    are different pictures. Raises UsageError `no_pairs` if there are none.
    """
    rows = np.flatnonzero(among)
    for folds in range(FOLDS, 0, -1):
        groups = _folds(facts, rows, folds, seed)
        each = max(wanted // (2 * folds), 1)
        same = [list(_genuine(facts, group, each, seed)) for group in groups]
        other = [list(_impostors(facts, group, each, seed)) for group in groups]
        size = min(map(len, (*same, *other)))
        if size:
            chosen = (
                (at, pairs[at][:size], kind) for at in range(folds) for kind, pairs in ((True, same), (False, other))
            )
            return tuple(Pair(*pair, kind, fold) for fold, pairs, kind in chosen for pair in pairs)
    raise UsageError(
        "no_pairs", "There are no pairs: they need two labels, and at least one of them with two different pictures."
    )


def _folds(facts: Facts, rows: Indices, folds: int, seed: int) -> list[list[Indices]]:
    """The rows by fold and label. A label is in one fold; labels and rows are in the order of their hashes."""
    label = facts.label[rows]
    order = np.lexsort((rows, facts.order[rows], label))
    found = np.split(rows[order], np.flatnonzero(np.diff(label[order])) + 1) if len(rows) else []
    names = [facts.labels[int(facts.label[group[0]])] for group in found]
    by_hash = np.argsort(hashes(names, seed)[:, 0], kind="stable").tolist()
    return [[found[at] for at in by_hash[fold::folds]] for fold in range(folds)]


def _genuine(facts: Facts, people: list[Indices], wanted: int, seed: int) -> Iterator[tuple[int, int]]:
    """Yield pairs of one person: one of each person, then a second of each, and so on."""
    of_person = [_of_person(facts, rows[:MOST_OF_LABEL]) for rows in people]
    for turn in range(max(map(len, of_person), default=0)):
        for pairs in of_person:
            if turn < len(pairs) and wanted:
                wanted -= 1
                yield pairs[turn]


def _of_person(facts: Facts, rows: Indices) -> list[tuple[int, int]]:
    """All pairs of different pictures, such that the first ones use many faces."""
    pairs = [pair for pair in combinations(rows.tolist(), 2) if facts.picture[pair[0]] != facts.picture[pair[1]]]
    at = {row: position for position, row in enumerate(rows.tolist())}
    return sorted(pairs, key=lambda pair: (at[pair[1]] - at[pair[0]], at[pair[0]]))


def _impostors(facts: Facts, people: list[Indices], wanted: int, seed: int) -> Iterator[tuple[int, int]]:
    """Yield pairs of two people, of people and faces that the seed draws."""
    if len(people) < 2:
        return
    sizes = [len(rows) for rows in people]
    wanted = min(wanted, (sum(sizes) ** 2 - sum(size**2 for size in sizes)) // 2)
    seen = set[tuple[int, int]]()
    for number in range(_TRIES * wanted):
        first, second = hashes([f"pair {number}"], seed)[0].tolist()
        at = first % len(people)
        others = people[(at + 1 + second % (len(people) - 1)) % len(people)]
        one, two = (int(rows[(draw >> 32) % len(rows)]) for rows, draw in ((people[at], first), (others, second)))
        pair = (min(one, two), max(one, two))
        if pair not in seen and facts.picture[one] != facts.picture[two]:
            seen.add(pair)
            yield pair
        if len(seen) == wanted:
            return

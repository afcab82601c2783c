"""How many planted mistakes the relations of labels find, and how many right faces they suspect.

Used by `bench/identity.py`. All draws have a fixed seed.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from facesieve.models.catalog import Limits
from facesieve.quality import mirrored_bits
from facesieve.relate import (
    Embedded,
    OwnLabels,
    Space,
    find_centres,
    find_duplicates,
    fit_labels,
    held_out_by_embedding,
    rank_in_picture,
    same_person,
    two_groups,
)

DRAWS = 100
LEAST = 3  # the default of the setting min_label_faces
Vectors = npt.NDArray[np.float16]
Counts = tuple[int, int, int, int]  # found, of planted ones; suspected, of right ones


@dataclass(frozen=True)
class Faces:
    """N faces. vectors: (N, 128). person: (N,) numbers. many: how many people, the first ones, have several faces."""

    vectors: Vectors
    person: np.ndarray
    many: int
    space: Space
    limits: Limits

    @property
    def order(self) -> np.ndarray:
        return np.arange(len(self.person))


def report(what: str, one: Callable[[np.random.Generator], Counts], draws: int = DRAWS) -> None:
    random = np.random.default_rng(0)
    found, planted, suspected, right = np.sum([one(random) for _ in range(draws)], axis=0)
    print(f"{what:76} {found / planted:7.1%} {suspected / max(right, 1):7.2%}   of {planted} and {right}", flush=True)


def wrong_labels(faces: Faces, singles: int, moved: int, strangers: int, each: int) -> Callable[..., Counts]:
    """File faces of known people, and strangers, under a wrong label. singles: labels of one face. each: faces."""

    def one(random: np.random.Generator) -> Counts:
        known = _some_of_each(faces, each, random)
        others = random.permutation(np.flatnonzero(faces.person >= faces.many))[:singles]
        label, planted = faces.person.copy(), [*random.permutation(known)[:moved], *others[:strangers]]
        for row in planted:
            label[row] = random.choice([number for number in range(faces.many) if number != faces.person[row]])
        among = np.isin(faces.order, [*known, *others])
        fit = fit_labels(faces.vectors, label, faces.order, among, faces.space, LEAST, faces.limits.same_label)
        suspect = (fit.label_distance > faces.limits.other_person) | (fit.label_margin < 0)
        wrong = np.isin(faces.order, planted)
        right = ~np.isnan(fit.label_distance) & ~wrong
        return int(suspect[wrong].sum()), len(planted), int(suspect[right].sum()), int(right.sum())

    return one


def merged_labels(faces: Faces, each: int, strangers: int) -> Callable[..., Counts]:
    """File two people under one label. strangers: faces of others in it. The other labels have one person."""

    def one(random: np.random.Generator) -> Counts:
        known, label = _some_of_each(faces, each, random), faces.person.copy()
        kept, gone = random.permutation(faces.many)[:2]
        others = random.permutation(np.flatnonzero(faces.person >= faces.many))[:strangers]
        label[faces.person == gone], label[others] = kept, kept
        among = np.isin(faces.order, [*known, *others])
        centres = find_centres(faces.vectors, label, faces.order, among, faces.space, LEAST)
        limits = (faces.limits.other_person, faces.limits.same_label)
        groups = two_groups(faces.vectors, label, faces.order, centres, faces.space, *limits, LEAST).labels
        return int(kept in groups), 1, int((groups != kept).sum()), faces.many - 2

    return one


def split_labels(faces: Faces, each: int) -> Callable[..., Counts]:
    """File every person under two labels. each: faces of each label."""

    def one(random: np.random.Generator) -> Counts:
        label = np.full(len(faces.person), -1)
        for number in range(faces.many):
            rows = random.permutation(np.flatnonzero(faces.person == number))
            label[rows[:each]], label[rows[each : 2 * each]] = number, faces.many + number
        centres = find_centres(faces.vectors, label, faces.order, label >= 0, faces.space, LEAST)
        pairs = same_person(centres, faces.space, faces.limits.same_label)
        right = pairs.second - pairs.first == faces.many
        labels = 2 * faces.many
        return int(right.sum()), faces.many, int((~right).sum()), labels * (labels - 1) // 2 - faces.many

    return one


HELD_PEOPLE = 3  # of the known people; none of the others is held out


def leaks(faces: Faces, strangers: Vectors, each: int, labelled: int) -> Callable[..., Counts]:
    """Hold out some faces of some people and half of all others, and look for the other faces of these people.

    strangers: faces of people that are not among `faces`. each: held-out faces of each person. labelled: faces of each
    known person in the dataset, all under one label; with 0, all the others, without labels.
    """

    def one(random: np.random.Generator) -> Counts:
        people = random.permutation(faces.many)
        shown = [random.permutation(np.flatnonzero(faces.person == number)) for number in people]
        held = [int(row) for rows in shown[:HELD_PEOPLE] for row in rows[:each]]
        rest = np.concatenate([rows[each : each + labelled if labelled else None] for rows in shown])
        others = random.permutation(np.flatnonzero(faces.person >= faces.many))
        known = [*held, *others[: len(others) // 2]]
        held_out = (faces.vectors[known], faces.person[known], faces.order[known], faces.space, LEAST)
        everyone = np.concatenate([faces.vectors[rest], faces.vectors[others[len(others) // 2 :]], strangers])
        labels = np.full(len(everyone), -1)
        if labelled:
            labels[: len(rest)] = faces.person[rest]
        own = OwnLabels(labels, np.arange(len(labels)), faces.limits.other_person)
        near = held_out_by_embedding(everyone, *held_out, own)[0] < faces.limits.held_out
        leaked = np.zeros(len(everyone), bool)
        leaked[: len(rest)] = np.isin(faces.person[rest], people[:HELD_PEOPLE])
        return int(near[leaked].sum()), int(leaked.sum()), int(near[~leaked].sum()), int((~leaked).sum())

    return one


def copied(faces: Faces, copies: Vectors, strangers: Vectors) -> Callable[..., Counts]:
    """Hold out all faces, and look for copies of them. copies: edits of these faces."""

    def one(_: np.random.Generator) -> Counts:
        held_out = (faces.vectors, faces.person, faces.order, faces.space, LEAST)
        near, false = (
            held_out_by_embedding(some, *held_out)[0] < faces.limits.held_out for some in (copies, strangers)
        )
        return int(near.sum()), len(near), int(false.sum()), len(false)

    return one


def _some_of_each(faces: Faces, each: int, random: np.random.Generator) -> list[int]:
    rows = (random.permutation(np.flatnonzero(faces.person == number))[:each] for number in range(faces.many))
    return [int(row) for some in rows for row in some]


def million(space: Space, limits: Limits, count: int, labels: int) -> None:
    """Print CPU seconds and peak memory of all relations among synthetic faces.

    Centres and faces are as far apart as those of dlib's network. One face in 50 has a wrong label, one in 20 is a
    copy of another.
    """
    random = np.random.default_rng(0)
    middles = (random.normal(0, 0.05, (labels, 128)) + 0.1).astype(np.float32)
    label = random.integers(0, labels, count)
    vectors = np.empty((count, 128), np.float16)
    for start in range(0, count, 50_000):
        some = label[start : start + 50_000]
        vectors[start : start + 50_000] = middles[some] + random.normal(0, 0.025, (len(some), 128)).astype(np.float32)
    hashes = random.integers(0, 256, (count, 32), np.uint8)
    hashes[:, 0] &= 0x7F
    copies = random.permutation(count)[: count // 20]
    originals = (copies + 1 + random.integers(0, count // 2, len(copies))) % count
    hashes[copies], vectors[copies], label[copies] = hashes[originals], vectors[originals], label[originals]
    wrong = random.permutation(np.setdiff1d(np.arange(count), np.concatenate([copies, originals])))[: count // 50]
    label[wrong] = (label[wrong] + 1 + random.integers(0, labels - 1, len(wrong))) % labels
    order, among, fitness = random.permutation(count), np.ones(count, bool), random.random(count) * 100
    print(f"{count:,} faces under {labels:,} labels")
    with _timed("centres, distances and the main faces"):
        centres = find_centres(vectors, label, order, among, space, LEAST)
        rank_in_picture(np.sort(random.integers(0, count, count)), fitness, among, centres.distance)
    with _timed("distances and margins"):
        fit = fit_labels(vectors, label, order, among, space, LEAST, limits.same_label)
    suspect = (fit.label_distance > limits.other_person) | (fit.label_margin < 0)
    false = np.delete(suspect, wrong).mean()
    print(f"    wrong labels found {suspect[wrong].mean():.2%}, right ones suspected {false:.3%}")
    with _timed("labels of two people, and people with two labels"):
        two_groups(vectors, label, order, centres, space, limits.other_person, limits.same_label, LEAST)
        same_person(centres, space, limits.same_label)
    with _timed("near-duplicates"):
        embedded = Embedded(vectors, space, limits.twin, limits.twin_bits)
        twins = find_duplicates(hashes, mirrored_bits(), label, fitness, among, embedded)
    found = np.mean((twins.twin[copies] >= 0) | (twins.twin[originals] >= 0))
    print(f"    copies found {found:.2%}, faces with a fitter one {np.mean(twins.rank_among_duplicates > 1):.2%}")


class _timed:  # noqa: N801 - a context manager
    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        self._began = time.process_time(), time.perf_counter()

    def __exit__(self, *_: object) -> None:
        used, passed = time.process_time() - self._began[0], time.perf_counter() - self._began[1]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"{self._what:52} {used:6.0f} s of CPU, {passed:6.0f} s, peak {peak:.2f} GB", flush=True)


def planted(faces: Faces, copies: Vectors, strangers: Vectors) -> None:
    """Print all lines about planted mistakes."""
    print(f"{'':76} {'found':>7} {'false':>7}")
    report("wrong labels, 8 of 100 faces", wrong_labels(faces, singles=50, moved=4, strangers=4, each=10))
    report("wrong labels, 20 of 200 faces", wrong_labels(faces, singles=150, moved=5, strangers=15, each=10))
    report(
        "wrong labels, 8 of 75 faces, 5 right ones per label",
        wrong_labels(faces, singles=50, moved=2, strangers=6, each=5),
    )
    for each, others in ((10, 0), (10, 5), (5, 0), (4, 0)):
        what = f"two people of {each} faces under one label" + (f", and {others} strangers" if others else "")
        report(what, merged_labels(faces, each, others))
    for each in (5, 4, 3):
        report(f"one person under two labels of {each} faces", split_labels(faces, each))
    report("leaks: 12 edits of held-out photos", copied(faces, copies, strangers), draws=1)
    for each in (5, 3, 1):
        for labelled in (0, 9, 5, 3):
            of_label = f"labels of {labelled}" if labelled else "no labels"
            if labelled <= 10 - each:
                report(f"leaks: people with {each} held out, {of_label}", leaks(faces, strangers, each, labelled), 20)

"""Centres of labels, and how faces fit their labels."""

from __future__ import annotations

import numpy as np
import pytest

from facesieve.relate import centres as centres_module
from facesieve.relate import nearest as nearest_module
from facesieve.relate.centres import find_centres
from facesieve.relate.labels import fit_labels
from facesieve.relate.nearest import nearest
from facesieve.relate.space import Space
from vectors import people

EUCLID, COSINE = Space(False, 0.6), Space(True, 0.6)
NAN = np.nan


def fit(vectors: np.ndarray, labels: np.ndarray, space: Space = EUCLID, least: int = 3, among: object = None):
    order = np.arange(len(labels))
    return fit_labels(vectors, labels, order, np.ones(len(labels), bool) if among is None else among, space, least)


def test_no_face_and_no_label_have_no_centre() -> None:
    none = fit(np.zeros((0, 128), np.float16), np.zeros(0, np.intp))
    assert none.label_distance.shape == (0,) and len(none.centres.labels) == 0
    vectors, _ = people([4])
    unlabelled = fit(vectors, np.full(4, -1))
    assert np.isnan(unlabelled.label_distance).all() and np.isnan(unlabelled.label_margin).all()


def test_a_label_with_too_few_faces_has_no_centre() -> None:
    vectors, labels = people([1, 2, 3])
    found = fit(vectors, labels)
    assert np.isnan(found.label_distance).tolist() == [True] * 3 + [False] * 3
    assert found.centres.labels.tolist() == [2] and found.centres.faces.tolist() == [3]
    assert np.isnan(found.label_margin).all(), "there is no other centre"
    assert fit(vectors, labels, least=2).centres.labels.tolist() == [1, 2]


def test_the_distance_is_that_from_the_mean_of_the_other_faces() -> None:
    vectors = np.zeros((3, 128), np.float16)
    vectors[:, 0] = [0, 0.25, 0.5]
    found = fit(vectors, np.zeros(3, np.intp))
    assert found.label_distance[1] == 0
    assert 0.25 < found.label_distance[0] < 0.375, "the nearer face weighs more"
    assert found.label_distance[0] == found.label_distance[2]


def test_equal_faces_are_at_distance_zero_and_other_faces_do_not_move_a_centre() -> None:
    vectors, labels = people([10, 12])
    same = np.repeat(vectors[:1], 5, axis=0)
    assert fit(same, np.zeros(5, np.intp)).label_distance.tolist() == [0] * 5
    alone = fit(vectors[:10], labels[:10])
    strangers, _ = people([1] * 9, seed=5)
    mixed = fit(np.concatenate([vectors[:10], strangers]), np.zeros(19, np.intp))
    np.testing.assert_allclose(mixed.centres.points, alone.centres.points)
    np.testing.assert_allclose(mixed.label_distance[:10], alone.label_distance)
    assert mixed.label_distance[10:].min() > 0.55 > mixed.label_distance[:10].max()


@pytest.mark.parametrize("space", [EUCLID, COSINE])
def test_a_face_under_another_label_is_nearer_to_its_own_person(space: Space) -> None:
    vectors, labels = people([10, 12, 8])
    filed = labels.copy()
    filed[[0, 15]] = 2
    found = fit(vectors, filed, space)
    assert np.flatnonzero(found.label_margin < 0).tolist() == [0, 15]
    assert found.other[[0, 15]].tolist() == [0, 1]
    assert found.label_distance[[0, 15]].min() > found.label_distance[1:10].max()


def test_a_label_of_the_same_person_is_no_other_label() -> None:
    vectors, owner = people([12, 8])
    labels = owner.copy()
    labels[6:12] = 2
    order, all_ = np.arange(20), np.ones(20, bool)
    plain = fit_labels(vectors, labels, order, all_, EUCLID)
    assert plain.label_margin[:12].max() < 0.2 and (plain.label_margin[:12] < 0).any()
    found = fit_labels(vectors, labels, order, all_, EUCLID, alike=0.45)
    assert found.label_margin[:12].min() > 0.2 and set(found.other[:12]) == {1}
    np.testing.assert_array_equal(found.label_margin[12:], plain.label_margin[12:])
    alone = fit_labels(vectors[:12], labels[:12], order[:12], all_[:12], EUCLID, alike=0.45)
    assert np.isnan(alone.label_margin).all() and set(alone.other) == {-1}


def test_faces_that_nothing_agrees_with_have_no_centre() -> None:
    strangers, _ = people([1] * 6)
    found = fit(strangers, np.zeros(6, np.intp))
    assert np.isnan(found.label_distance).all() and len(found.centres.labels) == 0


def test_faces_without_an_embedding_and_those_that_are_left_out_are_not_compared() -> None:
    vectors, labels = people([5, 5])
    vectors[0] = NAN
    among = np.arange(10) != 1
    found = fit(vectors, labels, among=among)
    assert np.flatnonzero(np.isnan(found.label_distance)).tolist() == [0, 1]
    np.testing.assert_allclose(found.label_distance[2:5], fit(vectors[2:5], labels[2:5]).label_distance)


@pytest.mark.parametrize("seed", range(3))
def test_nothing_depends_on_the_order_or_on_the_sizes_of_blocks(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, labels = people([4, 30, 3, 9, 1], seed)
    labels[:3] = 3
    order = np.random.default_rng(seed).permutation(len(labels))
    before = fit_labels(vectors, labels, np.arange(len(labels)), labels >= 0, EUCLID)
    shuffled = fit_labels(vectors[order], labels[order], order, labels >= 0, EUCLID)
    for name in ("label_distance", "label_margin", "other"):
        np.testing.assert_array_equal(getattr(before, name)[order], getattr(shuffled, name))
    monkeypatch.setattr(centres_module, "AT_ONCE", 5)
    monkeypatch.setattr(nearest_module, "ROWS", 3)
    monkeypatch.setattr(nearest_module, "TARGETS", 2)
    blocks = fit_labels(vectors, labels, np.arange(len(labels)), labels >= 0, EUCLID)
    for name in ("label_distance", "label_margin", "other"):
        np.testing.assert_array_equal(getattr(before, name), getattr(blocks, name))


def test_the_centre_of_a_large_label_is_that_of_its_first_faces_by_id(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, labels = people([40])
    monkeypatch.setattr(centres_module, "MOST", 10)
    order = np.random.default_rng(1).permutation(40)
    found = find_centres(vectors, labels, order, labels >= 0, EUCLID)
    first = np.argsort(order)[:10]
    few = find_centres(vectors[first], labels[:10], np.arange(10), labels[:10] >= 0, EUCLID)
    np.testing.assert_array_equal(found.points, few.points)
    assert found.faces.tolist() == [40]
    np.testing.assert_array_equal(found.distance[first], few.distance)
    others = np.argsort(order)[10:]
    away = EUCLID.apart(vectors[others].astype(float), np.repeat(few.points, 30, axis=0))
    np.testing.assert_array_equal(found.distance[others], away)


def test_the_nearest_target_is_exact_and_of_equal_ones_the_first() -> None:
    random = np.random.default_rng(0)
    points, targets = random.normal(0, 0.1, (50, 128)), random.normal(0, 0.1, (70, 128))
    targets[9] = targets[60]
    points[3], points[4] = targets[60], NAN
    avoid = random.integers(-1, 70, 50)
    avoid[3] = 9
    for space in (EUCLID, COSINE):
        found, away = nearest(points, targets, space, avoid)
        assert found[4] == -1 and np.isnan(away[4]) and found[3] == 60
        for row in (0, 10, 40):
            distances = space.apart(np.repeat(points[row : row + 1], 70, axis=0), targets)
            distances[avoid[row]] = np.inf if avoid[row] >= 0 else distances[avoid[row]]
            assert found[row] == distances.argmin()
            assert away[row] == pytest.approx(distances.min(), abs=2e-6)
    assert nearest(points, targets, EUCLID)[0][3] == 9
    assert nearest(points, targets[:0], EUCLID)[0].tolist() == [-1] * 50
    assert nearest(points[:1], targets[:1], EUCLID, np.zeros(1, np.intp))[0].tolist() == [-1]

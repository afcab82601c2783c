"""Relations of faces in one picture."""

from __future__ import annotations

import numpy as np
import pytest

from facesieve.relate import faces_in_picture, picture_relations, rank_in_picture

NAN = np.nan
PICTURE = np.array([0, 0, 0, 2, 2, 5])
PROMINENCE = np.array([0.2, 0.5, 0.3, 0.1, 0.1, 0.9])
ALL = np.ones(6, bool)


def test_the_most_prominent_face_of_each_picture_is_the_first() -> None:
    assert rank_in_picture(PICTURE, PROMINENCE, ALL).tolist() == [3, 1, 2, 1, 2, 1]
    assert faces_in_picture(PICTURE, ALL).tolist() == [3, 3, 3, 2, 2, 1]


def test_faces_that_are_not_among_them_have_no_number_and_do_not_count() -> None:
    among = np.array([True, False, True, False, True, False])
    np.testing.assert_array_equal(rank_in_picture(PICTURE, PROMINENCE, among), [2, NAN, 1, NAN, 1, NAN])
    np.testing.assert_array_equal(faces_in_picture(PICTURE, among), [2, NAN, 2, NAN, 1, NAN])


def test_no_faces_and_none_among_them() -> None:
    nothing = np.zeros(0, np.intp)
    for name, relation in picture_relations(nothing, np.zeros(0)).items():
        assert relation(np.zeros(0, bool)).shape == (0,), name
    for name, relation in picture_relations(PICTURE, PROMINENCE).items():
        assert np.isnan(relation(~ALL)).all(), name


def test_equal_faces_are_in_the_order_of_rows_and_unmeasured_ones_last() -> None:
    same = np.array([0.3, NAN, 0.3, 0.1, 0.1, 0.1])
    assert rank_in_picture(np.zeros(6, np.intp), same, ALL).tolist() == [1, 6, 2, 3, 4, 5]


def test_the_face_that_agrees_with_its_label_comes_before_larger_ones() -> None:
    distance = np.array([0.2, 0.6, NAN, NAN, NAN, NAN])
    assert rank_in_picture(PICTURE, PROMINENCE, ALL, distance).tolist() == [1, 2, 3, 1, 2, 1]


@pytest.mark.parametrize("seed", range(5))
def test_a_rank_does_not_depend_on_the_other_pictures_of_a_batch(seed: int) -> None:
    random = np.random.default_rng(seed)
    picture = np.sort(random.integers(0, 12, 60))
    prominence, among = random.integers(0, 5, 60) / 5, random.random(60) < 0.7
    together = rank_in_picture(picture, prominence, among)
    for one in np.unique(picture):
        rows = picture == one
        alone = rank_in_picture(np.zeros(rows.sum(), np.intp), prominence[rows], among[rows])
        np.testing.assert_array_equal(together[rows], alone)

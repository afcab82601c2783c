"""Distances between points, single and many at once."""

from __future__ import annotations

import numpy as np
import pytest

from facesieve.relate.space import BLOCK, Space


@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize("pairs", [0, 1, BLOCK + 1])
def test_pairs_of_rows_have_the_distances_of_their_points(cosine: bool, pairs: int) -> None:
    space, random = Space(cosine, 0.6), np.random.default_rng(1)
    points = random.normal(size=(9, 4)).astype(np.float32)
    one, other = random.integers(0, 9, (2, pairs))
    np.testing.assert_array_equal(space.between(points, one, other), space.apart(points[one], points[other]))


def test_the_distance_of_two_points_is_euclidean_or_one_minus_the_cosine() -> None:
    points, first, second = np.array([[3.0, 0.0], [0.0, 4.0]]), np.array([0]), np.array([1])
    assert Space(False, 0.6).between(points, first, second) == [5.0]
    assert Space(True, 0.6).between(points, first, second) == [1.0]

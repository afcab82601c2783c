"""Measures as scales, standings, and short numbers."""

from __future__ import annotations

import numpy as np
import pytest

from facesieve.fit.scale import Scale, between, scale_of, standing


@pytest.mark.parametrize(
    ("name", "values", "scores", "limits"),
    [
        ("sharpness", [10.0, 60.0], [10.0, 60.0], (20, None)),
        ("upsampling", [0.5, 3.0], [-0.5, -3.0], (None, 20)),
        ("yaw", [-30.0, 5.0], [-30.0, -5.0], (-20, 20)),
        ("luminance_mean_native", [0.2, 0.4, 0.5], [-0.2, 0.0, -0.1], (-19.6, 20.4)),
    ],
)
def test_higher_scores_are_better_and_limits_pass_what_scores_enough(
    name: str, values: list[float], scores: list[float], limits: tuple[float | None, ...]
) -> None:
    scale = scale_of(name, np.array(values))
    np.testing.assert_allclose(scale.scores(np.array(values)), scores)
    assert scale.limits(20 if name == "sharpness" else -20) == limits
    assert np.isnan(scale.scores(np.array([np.nan]))).all()


def test_a_standing_is_the_share_of_faces_that_score_no_more() -> None:
    found = standing(np.array([3.0, 1.0, 1.0, np.nan, 2.0]))
    assert found.tolist() == [1.0, 0.5, 0.5, 0.0, 0.75]
    assert standing(np.array([])).tolist() == []
    assert standing(np.array([np.nan])).tolist() == [0.0]
    assert standing(np.array([7.0])).tolist() == [1.0]


@pytest.mark.parametrize(
    ("below", "least", "number"),
    [
        (39.64, 45.93, 43.0),
        (0.99981, 0.99983, 0.99982),
        (-20.5, -20.1, -20.3),
        (-np.inf, 45.93, 45.0),
        (-1.0, 0.0, -0.5),
    ],
)
def test_a_number_between_two_has_few_digits(below: float, least: float, number: float) -> None:
    assert between(below, least) == number
    assert below < number <= least


def test_a_number_between_neighbours_is_the_greater_one() -> None:
    low = 0.1
    high = float(np.nextafter(low, 1))
    assert between(low, high) == high
    assert Scale("yaw", "near zero").limits(-high) == (-high, high)

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facesieve.pose.angles import from_rotations, to_reference
from pose_formulas import expectation, to_rotations


def test_only_yaw_changes_its_sign() -> None:
    assert to_reference([[1, 2, 3], [-4, -5, -6]]).tolist() == [[1, -2, 3], [-4, 5, -6]]


def test_conversion_and_back_is_the_same() -> None:
    degrees = np.random.default_rng(0).uniform(-99, 99, (20, 3))
    assert (to_reference(to_reference(degrees)) == degrees).all()
    assert to_reference(np.empty((0, 3))).shape == (0, 3)


def test_rotations_give_their_angles_back() -> None:
    degrees = np.random.default_rng(0).uniform(-89, 89, (200, 3))
    np.testing.assert_allclose(from_rotations(to_rotations(degrees)), degrees, atol=1e-9)
    assert from_rotations(to_rotations(np.empty((0, 3)))).shape == (0, 3)


def test_rotations_are_those_of_an_independent_library() -> None:
    degrees = np.array([[10.0, 20.0, 30.0], [-50.0, 5.0, -70.0]])
    expected = Rotation.from_euler("XYZ", -degrees, degrees=True).as_matrix()
    np.testing.assert_allclose(to_rotations(degrees), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("raw", "point", "moves_to"),
    [
        ((0, 30, 0), (0, 0, 1), (-0.5, 0, 0.87)),  # raw yaw > 0: the nose goes to the picture's left
        ((30, 0, 0), (0, 0, 1), (0, 0.5, 0.87)),  # pitch > 0: the nose goes up
        ((0, 0, 30), (0, 1, 0), (0.5, 0.87, 0)),  # roll > 0: the top of the head goes right, clockwise
    ],
)
def test_each_sign_moves_the_head_as_drawn(
    raw: tuple[float, ...], point: tuple[float, ...], moves_to: tuple[float, ...]
) -> None:
    moved = to_rotations(np.array([raw], float))[0] @ np.array(point, float)
    np.testing.assert_allclose(moved, moves_to, atol=0.005)


@pytest.mark.parametrize(
    ("bins", "index", "degrees"), [(66, 0, -99), (66, 33, 0), (66, 65, 96), (120, 0, -180), (120, 60, 0)]
)
def test_one_certain_bin_is_its_angle(bins: int, index: int, degrees: float) -> None:
    assert expectation(1000.0 * np.eye(bins)[[index]])[0] == pytest.approx(degrees)


def test_two_equal_bins_are_the_angle_between_and_large_logits_do_not_overflow() -> None:
    logits = np.full((1, 66), -1e4)
    logits[0, [40, 42]] = 1e4
    assert expectation(logits)[0] == pytest.approx(3 * 41 - 99)

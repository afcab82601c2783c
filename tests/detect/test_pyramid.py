"""Which scales the picture is looked at, and what it looks like there."""

from __future__ import annotations

import numpy as np
import pytest

from facesieve.detect.pyramid import levels, scales


def test_a_picture_smaller_than_the_smallest_face_has_no_levels() -> None:
    assert scales(19, 400, 20, 0.709) == []


def test_a_picture_of_exactly_the_smallest_face_has_one_level() -> None:
    assert scales(20, 400, 20, 0.709) == [0.6]


def test_scales_shrink_by_the_factor_until_twelve_pixels_are_left() -> None:
    found = scales(480, 640, 20, 0.709)
    assert found[0] == pytest.approx(0.6)
    assert np.diff(np.log(found)) == pytest.approx(np.log(0.709))
    assert 480 * found[-1] >= 12 > 480 * found[-1] * 0.709


@pytest.mark.parametrize(("smallest", "left_out"), [(20, 0), (28, 0), (29, 1), (39, 1), (40, 2), (56, 2), (57, 3)])
def test_a_larger_smallest_face_leaves_out_the_finest_levels_and_moves_none(smallest: int, left_out: int) -> None:
    assert scales(480, 640, smallest, 0.709) == scales(480, 640, 20, 0.709)[left_out:]


def test_the_first_level_s_window_is_not_larger_than_the_smallest_face() -> None:
    windows = [12 / scales(2000, 2000, smallest, 0.709)[0] for smallest in range(12, 400)]
    ratios = np.arange(12, 400) / windows
    assert ratios.min() == pytest.approx(1) and ratios.max() < 1 / 0.709


def test_a_smaller_smallest_face_has_levels_of_its_own() -> None:
    assert scales(480, 640, 12, 0.709)[0] == 1


@pytest.mark.parametrize("smallest", [20, 40, 57, 100])
def test_a_picture_that_the_smallest_face_fills_is_looked_at(smallest: int) -> None:
    assert len(scales(smallest, smallest, smallest, 0.709)) == 1
    assert scales(19, 400, smallest, 0.709) == []


def test_levels_are_averages_of_the_original() -> None:
    pixels = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)
    half, quarter = levels(pixels, [0.5, 0.25])
    assert half[0, 0].tolist() == [8, 9, 10]
    assert quarter.shape == (1, 1, 3)
    assert abs(int(quarter[0, 0, 0]) - pixels[..., 0].mean()) <= 1


def test_level_sizes_are_rounded_up() -> None:
    (level,) = levels(np.zeros((101, 33, 3), np.uint8), [0.6])
    assert level.shape == (61, 20, 3)

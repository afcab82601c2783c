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


def test_levels_are_averages_of_the_original() -> None:
    pixels = np.arange(4 * 4 * 3, dtype=np.uint8).reshape(4, 4, 3)
    half, quarter = levels(pixels, [0.5, 0.25])
    assert half[0, 0].tolist() == [8, 9, 10]
    assert quarter.shape == (1, 1, 3)
    assert abs(int(quarter[0, 0, 0]) - pixels[..., 0].mean()) <= 1


def test_level_sizes_are_rounded_up() -> None:
    (level,) = levels(np.zeros((101, 33, 3), np.uint8), [0.6])
    assert level.shape == (61, 20, 3)

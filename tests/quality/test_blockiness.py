"""The grid of JPEG, drawn by hand."""

from __future__ import annotations

import numpy as np
import pytest

from facesieve.quality.blockiness import blockiness
from facesieve.records import Faces, Photo, Source


def of(pixels: np.ndarray, *boxes: tuple[float, float, float, float]) -> list[float]:
    n = len(boxes)
    faces = Faces(np.zeros(n, np.intp), np.array(boxes, float).reshape(n, 4), np.ones(n), np.zeros((n, 5, 2)))
    return blockiness([Photo(Source("drawn"), "", pixels, "array")], faces).tolist()


def tiles(step: int, shift: int = 0) -> np.ndarray:
    """A ramp of 1 a pixel, and a step more at every eighth pixel after `shift`, both ways."""
    at = np.arange(64)
    line = at + step * ((at - shift) // 8)
    grey = line[:, np.newaxis] + line[np.newaxis]
    return np.repeat(grey.astype(np.uint8)[..., np.newaxis], 3, axis=2)


def test_a_ramp_without_a_grid_has_a_ratio_of_one() -> None:
    assert of(tiles(0), (0, 0, 64, 64)) == [pytest.approx(1, abs=0.01)]


def test_steps_on_the_grid_raise_it_and_steps_off_the_grid_lower_it() -> None:
    assert of(tiles(8), (0, 0, 64, 64)) == [pytest.approx(9, rel=0.05)]
    assert of(tiles(8, shift=4), (0, 0, 64, 64))[0] < 0.6


def test_the_grid_is_the_picture_s_whatever_the_box() -> None:
    assert of(tiles(8), (3.2, 5.7, 40.1, 33.3), (-10, -10, 60, 60)) == [pytest.approx(9, rel=0.1)] * 2


def test_a_featureless_face_has_a_ratio_of_one() -> None:
    assert of(np.full((64, 64, 3), 7, np.uint8), (0, 0, 64, 64)) == [1.0]


def test_a_box_too_small_or_outside_is_not_measured() -> None:
    assert np.isnan(of(tiles(0), (0, 0, 8, 40), (100, 100, 30, 30), (-50, -50, 20, 20))).all()


def test_no_faces_give_no_numbers() -> None:
    assert of(tiles(0)) == []

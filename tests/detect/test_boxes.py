"""Box arithmetic, checked by hand on a few boxes."""

from __future__ import annotations

import numpy as np
import pytest

from facesieve.detect.boxes import from_cells, regress, squared, suppress

BOXES = np.array([[0, 0, 9, 9], [1, 0, 10, 9], [50, 50, 59, 59]], float)


def test_suppressing_no_boxes_keeps_none() -> None:
    assert suppress(np.empty((0, 4)), 0.5).tolist() == []


def test_one_box_stays() -> None:
    assert suppress(BOXES[:1], 0.5).tolist() == [0]


def test_the_first_of_overlapping_boxes_stays() -> None:
    assert suppress(BOXES, 0.5).tolist() == [0, 2]
    assert suppress(BOXES[[2, 1, 0]], 0.5).tolist() == [0, 1]


def test_boxes_that_overlap_no_more_than_the_threshold_all_stay() -> None:
    # 9 x 10 pixels in common, counted inclusively: 90 / (100 + 100 - 90) = 0.818
    assert suppress(BOXES[:2], 0.82).tolist() == [0, 1]
    assert suppress(BOXES[:2], 0.81).tolist() == [0]


def test_overlap_over_the_smaller_area_removes_a_box_inside_another() -> None:
    nested = np.array([[0, 0, 99, 99], [10, 10, 29, 29]], float)
    assert suppress(nested, 0.7).tolist() == [0, 1]
    assert suppress(nested, 0.7, minimum=True).tolist() == [0]


def test_a_cell_is_a_window_of_twelve_pixels_at_its_scale() -> None:
    windows = from_cells(np.array([0, 3]), np.array([0, 5]), 0.6)
    # column 5, row 3: pixels 11..22 and 7..18 of the level, truncated in the picture
    assert windows.tolist() == [[1, 1, 20, 20], [18, 11, 36, 30]]


def test_offsets_move_corners_in_units_of_the_side() -> None:
    box, offsets = np.array([[10.0, 20, 29, 39]]), np.array([[0.1, 0, -0.5, 0.25]])
    assert regress(box, offsets).tolist() == [[12, 20, 19, 44]]
    assert regress(box, offsets, inclusive=False) == pytest.approx(np.array([[11.9, 20, 19.5, 43.75]]))


def test_a_box_grows_to_a_square_around_its_centre() -> None:
    assert squared(np.array([[0.0, 10, 20, 20], [0, 0, 5, 9]])).tolist() == [[0, 5, 20, 25], [-2, 0, 7, 9]]

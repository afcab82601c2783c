"""The numbers in a marked picture stay inside it, and cover no face and no other numbers if there is room."""

from __future__ import annotations

import numpy as np
import pytest

from facesieve.draw.mark import mark
from facesieve.draw.text_positions import Rectangle, text_positions
from facesieve.records import Face, Verdict


def overlap(one: Rectangle, other: Rectangle) -> int:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return max(0, wide) * max(0, high)


def test_without_faces_there_are_no_places() -> None:
    assert text_positions([], [], (100, 100)) == []


def test_the_preferred_place_is_above_the_left_corner() -> None:
    assert text_positions([(40, 50, 80, 90)], [(30, 12)], (200, 200)) == [(40, 37, 70, 49)]


@pytest.mark.parametrize("box", [(0, 0, 40, 40), (160, 0, 199, 40), (0, 150, 40, 199), (160, 160, 199, 199)])
def test_a_face_in_a_corner_has_its_numbers_inside_the_picture_and_not_on_itself(box: Rectangle) -> None:
    ((left, top, right, bottom),) = text_positions([box], [(70, 20)], (200, 200))
    assert min(left, top) >= 0 and right < 200 and bottom < 200
    assert overlap((left, top, right, bottom), box) == 0


def test_a_row_of_faces_that_touch_has_numbers_on_none_of_them() -> None:
    boxes = [(20 + 50 * n, 100, 68 + 50 * n, 160) for n in range(8)]
    places = text_positions(boxes, [(60, 20)] * 8, (440, 300))
    everything = [*boxes, *places]
    for at, place in enumerate(places):
        others = everything[: len(boxes) + at] + everything[len(boxes) + at + 1 :]
        assert not any(overlap(place, other) for other in others)


def test_without_room_the_numbers_are_still_inside_the_picture() -> None:
    for left, top, right, bottom in text_positions([(0, 0, 9, 9)] * 3, [(50, 30)] * 3, (10, 10)):
        assert (left, top) == (0, 0) and (right, bottom) == (9, 9)


def test_numbers_are_no_wider_than_a_face_of_ordinary_size() -> None:
    """Once, a face of 100 pixels in a picture of 2000 pixels had numbers 300 pixels wide."""
    pixels = np.full((1500, 2000, 3), 128, np.uint8)
    measures = {"blur": 148.0, "pitch": 1.0, "yaw": 8.0, "roll": 11.0}
    box = (900.0, 700.0, 100.0, 120.0)
    face = Face("0" * 32, box, np.full((5, 2), (950.0, 760.0)), 0.99, pixels[:112, :112], measures, Verdict(True))
    changed = np.argwhere((mark(pixels, [face]) != pixels).any(axis=-1))
    top, left = changed.min(axis=0)
    bottom, right = changed.max(axis=0)
    assert right - left <= 112 and bottom - top <= 170

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from facesieve.pose.crops import crop, squares
from facesieve.records import Faces, Photo, Pixels, Source


def photo(pixels: Pixels) -> Photo:
    return Photo(Source("drawn"), "", pixels, "array")


def faces(*boxes: tuple[float, ...], photos: tuple[int, ...] | None = None) -> Faces:
    count = len(boxes)
    where = np.array(photos if photos is not None else [0] * count, np.intp)
    return Faces(where, np.array(boxes, float).reshape(-1, 4), np.ones(count), np.zeros((count, 5, 2)))


def ramp(height: int, width: int) -> Pixels:
    """Red grows to the right, green to the bottom."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns % 256, rows % 256, 0 * rows], axis=2).astype(np.uint8)


@pytest.mark.parametrize(
    ("box", "margin", "square"),
    [
        ((10, 20, 40, 60), 0.0, [0, 20, 60]),
        ((10, 20, 40, 60), 0.1, [-6, 14, 72]),
        ((10, 20, 60, 40), 0.5, [-20, -20, 120]),
        ((0, 0, 0, 0), 0.1, [0, 0, 1]),
    ],
)
def test_the_square_is_centred_and_as_long_as_the_longer_side_and_two_margins(
    box: tuple[float, ...], margin: float, square: list[int]
) -> None:
    assert squares(np.array([box], float), margin).tolist() == [square]


def test_no_faces_are_no_crops() -> None:
    assert crop([], faces(), 0.1, 224).shape == (0, 224, 224, 3)
    assert squares(np.empty((0, 4)), 0.1).shape == (0, 3)


def test_a_square_of_the_right_size_is_copied_as_it_is() -> None:
    pixels = ramp(100, 120)
    (cut,) = crop([photo(pixels)], faces((30, 40, 32, 32)), 0.0, 32)
    assert (cut == pixels[40:72, 30:62]).all()


@pytest.mark.parametrize("size", [16, 56, 224, 448, 500])
def test_a_gradient_stays_where_it_was_at_any_scale(size: int) -> None:
    rows, columns = np.mgrid[:600, :600] / 600 * 255
    pixels = np.rint(np.stack([columns, rows, columns], axis=2)).astype(np.uint8)
    (cut,) = crop([photo(pixels)], faces((50, 30, size, size)), 0.0, 224)
    at = (np.arange(224) + 0.5) * size / 224 - 0.5
    inner = slice(8, -8)
    np.testing.assert_allclose(cut[100, inner, 0], ((50 + at) / 600 * 255)[inner], atol=1.2)
    np.testing.assert_allclose(cut[inner, 100, 1], ((30 + at) / 600 * 255)[inner], atol=1.2)


def test_outside_the_picture_it_is_black_and_inside_nothing_moves() -> None:
    pixels = np.full((100, 100, 3), 200, np.uint8)
    (cut,) = crop([photo(pixels)], faces((-50, 20, 100, 100)), 0.0, 200)
    expected = np.zeros((200, 200), np.uint8)
    expected[:160, 100:] = 200
    assert (cut[..., 0] == expected).all()


@pytest.mark.parametrize("box", [(500, 10, 50, 50), (-80, -80, 50, 50), (99.8, 0, 1000, 1000)])
def test_a_box_that_leaves_the_picture_does_not_fail(box: tuple[float, ...]) -> None:
    (cut,) = crop([photo(ramp(100, 100))], faces(box), 0.0, 32)
    assert cut.max() == 0


def test_every_face_is_cut_from_its_own_photo() -> None:
    photos = [photo(np.full((50, 50, 3), value, np.uint8)) for value in (10, 20, 30)]
    cut = crop(photos, faces((5, 5, 20, 20), (5, 5, 20, 20), photos=(2, 0)), 0.0, 16)
    assert cut[:, 0, 0, 0].tolist() == [30, 10]


def test_a_huge_square_costs_no_more_memory_than_the_picture() -> None:
    tracemalloc.start()
    crop([photo(ramp(100, 100))], faces((-50_000, -50_000, 100_000, 100_000)), 0.5, 224)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000

"""Crops are scaled and shifted to the input of a network, with the same pixels on every machine."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np

from facesieve.identity.chips import Chips
from facesieve.records import Pixels

SCALE, SHIFT = 1.491, (-9.36181, -29.8056)  # of dlib


def drawn(count: int) -> Pixels:
    seed = np.random.default_rng(1)
    return np.stack(
        [cv2.GaussianBlur(one, (0, 0), 1.5) for one in seed.integers(0, 256, (count, 112, 112, 3), np.uint8)]
    )


def test_chips_are_those_of_a_bicubic_warp_to_one_step_of_256() -> None:
    crops = drawn(4)
    matrix = np.array([[SCALE, 0, SHIFT[0]], [0, SCALE, SHIFT[1]]])
    how = {"flags": cv2.INTER_CUBIC, "borderMode": cv2.BORDER_REFLECT}
    warped = np.stack([cv2.warpAffine(crop, matrix, (150, 150), **how) for crop in crops])
    differences = np.abs(Chips(112, 150, SCALE, SHIFT)(crops).astype(int) - warped)
    assert differences.max() <= 2 and differences.mean() < 0.2


def test_the_pixels_are_pinned() -> None:
    seed = np.random.default_rng(7)
    crops = seed.integers(0, 256, (2, 112, 112, 3), np.uint8)
    chips = Chips(112, 150, SCALE, SHIFT)(crops)
    assert chips.shape == (2, 150, 150, 3) and chips.dtype == np.uint8 and chips.flags.c_contiguous
    assert hashlib.sha256(chips.tobytes()).hexdigest()[:16] == "6efb46587603f065"


def test_a_point_moves_by_the_scale_and_the_shift() -> None:
    crop = np.zeros((1, 112, 112, 3), np.uint8)
    crop[0, 60, 40] = 255
    y, x = np.unravel_index(int(Chips(112, 150, 2.0, (10.0, -30.0))(crop)[0, ..., 0].argmax()), (150, 150))
    assert (x, y) == (90, 90)


def test_beyond_the_border_the_crop_is_mirrored() -> None:
    crop = np.broadcast_to(np.arange(112, dtype=np.uint8)[:, None, None], (112, 112, 3))[np.newaxis]
    column = Chips(112, 150, 1.0, (0.0, 0.0))(crop)[0, :, 0, 0]
    assert column[:113].tolist() == [*range(112), 111]
    assert column[-1] == 74


def test_full_contrast_neither_wraps_around_nor_overshoots() -> None:
    crop = np.zeros((1, 112, 112, 3), np.uint8)
    crop[:, ::2] = 255
    chips = Chips(112, 150, SCALE, SHIFT)(crop)
    assert chips.min() == 0 and chips.max() == 255
    constant = Chips(112, 150, SCALE, SHIFT)(np.full((1, 112, 112, 3), 255, np.uint8))
    assert (constant == 255).all()


def test_crops_that_fit_already_are_passed_on_and_no_crop_gives_no_chip() -> None:
    crops = drawn(1)
    assert Chips(112, 112, 1.0, (0.0, 0.0))(crops) is crops
    assert Chips(112, 150, SCALE, SHIFT)(crops[:0]).shape == (0, 150, 150, 3)

"""Crops, marked copies and encoded pictures."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from facesieve.draw.cut import cut
from facesieve.draw.encode import jpeg, png, thumbnail
from facesieve.draw.mark import BLUE, MAGENTA, mark
from facesieve.records import Face, Pixels, Verdict


@pytest.fixture
def portrait(astronaut: Path) -> Pixels:
    return np.ascontiguousarray(cv2.imread(str(astronaut))[..., ::-1])


def test_png_is_lossless_rgb_without_metadata_and_the_same_every_time(portrait: Pixels) -> None:
    encoded = png(portrait[40:152, 60:172])
    image = Image.open(io.BytesIO(encoded))
    assert (image.mode, image.info) == ("RGB", {})
    np.testing.assert_array_equal(np.asarray(image), portrait[40:152, 60:172])
    assert png(portrait[40:152, 60:172].copy()) == encoded


def test_jpeg_keeps_the_colours_in_order(portrait: Pixels) -> None:
    image = Image.open(io.BytesIO(jpeg(portrait, 92)))
    assert "exif" not in image.info
    assert np.abs(np.asarray(image, int) - portrait).mean() < 3


def test_a_thumbnail_is_never_larger_than_its_side(portrait: Pixels) -> None:
    assert Image.open(io.BytesIO(thumbnail(portrait))).size == (112, 112)
    assert Image.open(io.BytesIO(thumbnail(portrait[:64, :64]))).size == (64, 64)


def test_a_cut_is_the_box_and_a_margin_widens_it_on_every_side(portrait: Pixels) -> None:
    np.testing.assert_array_equal(cut(portrait, (100.2, 50.4, 39.6, 60.0)), portrait[50:110, 100:140])
    np.testing.assert_array_equal(cut(portrait, (100.0, 50.0, 40.0, 60.0), 0.5), portrait[20:140, 70:170])


@pytest.mark.parametrize("box", [(-20.0, -30.0, 60.0, 70.0), (500.0, 500.0, 60.0, 60.0), (600.0, -90.0, 5.0, 5.0)])
def test_a_cut_stays_inside_the_picture_and_is_never_empty(
    portrait: Pixels, box: tuple[float, float, float, float]
) -> None:
    assert 0 < cut(portrait, box).size <= portrait.size


def a_face(kept: bool, measures: dict[str, float]) -> Face:
    box = (100.0, 200.0, 80.0, 90.0)
    return Face("0" * 32, box, np.full((5, 2), 240.0), 0.99, np.zeros((112, 112, 3), np.uint8), measures, Verdict(kept))


@pytest.mark.parametrize(("kept", "colour"), [(True, BLUE), (False, MAGENTA)])
def test_kept_boxes_are_blue_and_rejected_ones_magenta(
    portrait: Pixels, kept: bool, colour: tuple[int, int, int]
) -> None:
    before = portrait.copy()
    marked = mark(portrait, [a_face(kept, {"blur": 120.0, "pitch": 1.0, "yaw": 2.0, "roll": 3.0})])
    assert tuple(marked[290, 140]) == colour and tuple(marked[245, 100]) == colour and tuple(marked[245, 180]) == colour
    np.testing.assert_array_equal(portrait, before)
    np.testing.assert_array_equal(marked[300:], portrait[300:])


def test_numbers_are_written_above_the_box_even_if_some_were_not_measured(portrait: Pixels) -> None:
    nothing = mark(portrait, [])
    np.testing.assert_array_equal(nothing, portrait)
    some = mark(portrait, [a_face(True, {"pitch": np.nan, "yaw": np.nan, "roll": np.nan})])
    assert (some[190:200, 100:120].min(axis=-1) > 150).any(), "white digits, however the font is smoothed"
    assert (some[190:200, 100:120] == BLUE).all(axis=-1).any(), "on a blue ground"


@pytest.mark.parametrize("box", [(-30.0, -20.0, 700.0, 700.0), (-9.4, 400.0, 600.0, 300.0)])
def test_a_box_that_leaves_the_picture_is_drawn_clipped_to_it(
    portrait: Pixels, box: tuple[float, float, float, float]
) -> None:
    face = replace(a_face(True, {}), box=box, landmarks=np.full((5, 2), 300.0))
    marked = mark(portrait, [face])
    for side in (marked[410:440, 0], marked[410:, -1], marked[-1, 250:]):
        assert (side == BLUE).all(), "this side of the box lies on the border of the picture"


def test_a_face_that_fills_a_tiny_picture_can_be_marked() -> None:
    assert mark(np.zeros((12, 10, 3), np.uint8), [a_face(False, {})]).shape == (12, 10, 3)

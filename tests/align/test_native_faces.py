"""The warp and the Laplacian of the extension, and the warp that stands in for it, against OpenCV and each other."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facesieve.align.warp import warp_by_remap
from facesieve.native import Extension, instruction_sets
from facesieve.quality.blur import blur_by_opencv

if not instruction_sets():
    pytest.skip("the extension was not built", allow_module_level=True)

native = Extension("portable")


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


def matrices(random: np.random.Generator, count: int, reach: float) -> np.ndarray:
    """Similarities of all sizes and turns, some that show nothing of the photo, one that has no inverse."""
    scale, angle = np.exp(random.uniform(-2, 2, count)), random.uniform(-3, 3, count)
    a, b = scale * np.cos(angle), scale * np.sin(angle)
    x, y = random.uniform(-reach, reach, (2, count))
    turned = np.stack([np.stack([a, b, x], axis=1), np.stack([-b, a, y], axis=1)], axis=1)
    return np.concatenate([turned, np.zeros((1, 2, 3)), np.eye(2, 3)[np.newaxis]])


@pytest.mark.parametrize("shape", [(300, 401), (1, 1), (1, 200), (200, 1), (13, 17)])
def test_both_warps_give_the_same_bytes(random: np.random.Generator, shape: tuple[int, int]) -> None:
    pixels = random.integers(0, 256, (*shape, 3), np.uint8)
    maps = matrices(random, 60, max(shape))
    assert np.array_equal(native.warp(pixels, maps, 112), warp_by_remap(pixels, maps, 112))


def test_matrices_at_the_end_of_numbers_give_the_same_bytes(random: np.random.Generator) -> None:
    pixels = random.integers(0, 256, (20, 30, 3), np.uint8)
    maps = np.concatenate([matrices(random, 10, 1e12), matrices(random, 10, 20) * 1e-9, matrices(random, 10, 20) * 1e9])
    assert np.array_equal(native.warp(pixels, maps, 32), warp_by_remap(pixels, maps, 32))


def test_the_warp_is_opencv_4_s_and_near_opencv_5_s(random: np.random.Generator) -> None:
    pixels = cv2.GaussianBlur(random.integers(0, 256, (300, 401, 3), np.uint8), (0, 0), 3)
    maps = matrices(random, 40, 300)[:40]
    ours = native.warp(pixels, maps, 112).astype(int)
    theirs = np.stack([cv2.warpAffine(pixels, m, (112, 112), flags=cv2.INTER_LINEAR) for m in maps]).astype(int)
    inside = np.stack([cv2.warpAffine(np.full((300, 401), 255, np.uint8), m, (112, 112)) for m in maps]) == 255
    tolerance = 0 if int(cv2.__version__.split(".")[0]) == 4 else 3
    assert np.abs(ours - theirs)[inside].max() <= tolerance


def test_the_identity_copies_and_what_is_outside_is_black(random: np.random.Generator) -> None:
    pixels = random.integers(1, 256, (40, 50, 3), np.uint8)
    crop = native.warp(pixels, np.eye(2, 3)[np.newaxis], 64)[0]
    assert np.array_equal(crop[:40, :50], pixels)
    assert not crop[40:].any() and not crop[:, 50:].any()


def test_no_matrices_give_no_crops() -> None:
    assert native.warp(np.zeros((5, 5, 3), np.uint8), np.empty((0, 2, 3)), 112).shape == (0, 112, 112, 3)


@pytest.mark.parametrize("shape", [(0, 112, 112), (9, 112, 112), (3, 1, 1), (3, 1, 9), (3, 9, 1), (2, 2, 3)])
def test_the_laplacian_s_variance_is_opencv_s(random: np.random.Generator, shape: tuple[int, int, int]) -> None:
    grey = random.integers(0, 256, shape, np.uint8)
    assert native.laplacian_variance(grey).tolist() == blur_by_opencv(grey).tolist()


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda: native.warp(np.zeros((5, 5), np.uint8), np.empty((0, 2, 3)), 112), ValueError),
        (lambda: native.warp(np.zeros((5, 5, 3)), np.empty((0, 2, 3)), 112), TypeError),
        (lambda: native.warp(np.zeros((5, 5, 3), np.uint8), np.zeros((1, 3, 3)), 112), ValueError),
        (lambda: native.warp(np.zeros((5, 5, 3), np.uint8), np.full((1, 2, 3), np.nan), 112), ValueError),
        (lambda: native.warp(np.zeros((5, 5, 3), np.uint8), np.zeros((1, 2, 3)), 0), ValueError),
        (lambda: native.laplacian_variance(np.zeros((5, 5), np.uint8)), ValueError),
        (lambda: native.laplacian_variance(np.zeros((2, 0, 5), np.uint8)), ValueError),
        (lambda: native.laplacian_variance(np.zeros((2, 5, 5))), TypeError),
    ],
)
def test_what_does_not_fit_is_refused(call, error: type[Exception]) -> None:
    with pytest.raises(error):
        call()

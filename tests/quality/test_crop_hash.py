"""The hash of a crop."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from facesieve.quality import crop_hash, luma, mirrored_bits


@pytest.fixture(scope="module")
def crop(astronaut: Path) -> np.ndarray:
    photo = cv2.imread(str(astronaut))[..., ::-1]
    return cv2.resize(photo[40:200, 140:300], (112, 112), interpolation=cv2.INTER_AREA)


def bits(crops: list[np.ndarray]) -> np.ndarray:
    return np.unpackbits(crop_hash(luma(np.stack(crops))), axis=1)


def test_it_is_the_signs_of_a_cosine_transform(crop: np.ndarray) -> None:
    small = cv2.resize(luma(crop[None])[0].astype(np.float64), (28, 28), interpolation=cv2.INTER_AREA)
    waves = cv2.dct(small)[:8, :8]
    expected = waves > 0
    expected[0, 0] = False
    [found] = bits([crop])
    assert found[:64].sum() == expected.sum(), "the first 64 bits are the lowest 8 x 8 frequencies"
    assert found[0] == 0
    assert found[1:4].tolist() == [expected[0, 1], expected[1, 0], expected[1, 1]]


def test_a_mirrored_crop_differs_in_the_mirrored_bits(crop: np.ndarray) -> None:
    ours, mirrored = crop_hash(luma(np.stack([crop, crop[:, ::-1]])))
    np.testing.assert_array_equal(ours ^ mirrored, mirrored_bits())


def test_edits_change_few_bits_and_another_picture_half_of_them(crop: np.ndarray) -> None:
    edited = [cv2.convertScaleAbs(crop, alpha=1.2, beta=10), cv2.GaussianBlur(crop, (0, 0), 1)]
    other = np.random.default_rng(0).integers(0, 255, crop.shape, np.uint8)
    first, *rest = bits([crop, *edited, other])
    distances = [int((first != one).sum()) for one in rest]
    assert max(distances[:2]) < 30
    assert 90 < distances[2] < 166


def test_a_flat_crop_has_no_bits_and_no_crops_no_hashes() -> None:
    assert not bits([np.full((112, 112, 3), value, np.uint8) for value in (0, 90, 255)]).any()
    assert crop_hash(np.empty((0, 112, 112), np.uint8)).shape == (0, 32)

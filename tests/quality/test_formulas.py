"""The scores on inputs whose answer is known by hand."""

from __future__ import annotations

from math import erf

import numpy as np
import pytest

from facesieve.quality import light, size
from facesieve.quality.blur import blur, luma
from facesieve.quality.region import face_region, inside
from facesieve.quality.sharpness import edge_width, sharpness


def uniform(levels: slice) -> np.ndarray:
    """(1, 256) a histogram with equal shares at some levels."""
    shares = np.zeros((1, 256))
    shares[0, levels] = 1 / len(range(256)[levels])
    return shares


def test_luminance_is_linear_light() -> None:
    colours = np.array([(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (188, 188, 188)], np.uint8)
    assert light.luminance(colours).tolist() == [0, 255, 54, 182, 18, 128]


def test_exposure_counts_the_ends_inclusive() -> None:
    assert light.under_exposure(uniform(slice(0, 52)))[0] == pytest.approx(0.5)
    assert light.over_exposure(uniform(slice(238, 256)))[0] == pytest.approx(0.5)
    assert light.under_exposure_score(np.array([0.0, 0.92, 1.0])) == pytest.approx([99.84, 39.84, 0], abs=0.01)
    assert light.over_exposure_score(np.array([0.0, 0.01, 0.09])) == pytest.approx([100, 50, 10])


def test_entropy_is_in_bits_and_scores_twelve_and_a_half_each() -> None:
    assert light.entropy(uniform(slice(0, 256)))[0] == pytest.approx(8)
    assert light.entropy(uniform(slice(7, 8)))[0] == 0
    assert light.dynamic_range_score(np.array([0.0, 4.0, 8.0])).tolist() == [0, 50, 100]


def test_mean_and_variance_of_luminance() -> None:
    ends = np.zeros((1, 256))
    ends[0, [0, 255]] = 0.5
    assert light.mean(ends)[0] == pytest.approx(0.5)
    assert light.variance(ends)[0] == pytest.approx(0.25)
    assert light.mean_score(np.array([0.2, 0.5, 0.8])) == pytest.approx([50, 99.5, 50], abs=0.01)
    assert light.variance_score(np.array([0, 1 / 60, 1 / 20])) == pytest.approx([0, 100, 70.71], abs=0.01)


def test_uniformity_is_what_both_halves_share() -> None:
    halves = np.stack([uniform(slice(0, 100)), uniform(slice(75, 175))], axis=1)
    assert light.uniformity(halves)[0] == pytest.approx(0.25)
    assert light.uniformity_score(np.array([0.25, 1.0])) == pytest.approx([65.98, 100], abs=0.01)


def test_eye_distance_is_straightened_for_yaw() -> None:
    points = np.zeros((1, 5, 2))
    points[0, 1] = (30, 40)
    assert size.inter_eye_distance(points).tolist() == [50]
    score = size.inter_eye_distance_score(np.array([70.0, 35.0, 35.0]), np.array([0.0, 60.0, -60.0]))
    assert score == pytest.approx([50, 50, 50])


def test_upsampling_is_the_scale_of_the_transform() -> None:
    turned = 2.5 * np.array([[[0.6, -0.8, 3.0], [0.8, 0.6, -7.0]]])
    assert size.upsampling(turned, 112) == pytest.approx([2.5])
    perspective = np.array([[[2.5, 0, 1], [0, 2.5, 2], [0, 0, 1]]]) * 3
    assert size.upsampling(perspective, 112) == pytest.approx([2.5])


def test_outside_is_the_share_of_pixels_without_picture() -> None:
    quarter = np.array([[[1.0, 0, 56], [0, 1, 0]]])
    shown = inside(quarter, np.array([(200.0, 56.0)]), 112)
    assert size.outside(shown)[0] == pytest.approx(0.75)
    assert shown[0, 55, 56]
    assert not shown[0, 56, 56]
    assert not shown[0, 55, 55]
    with_margin = inside(quarter, np.array([(200.0, 56.0)]), 112, margin=3)
    assert with_margin.sum() == (56 - 2 * 3) * (56 - 3)


def test_blur_is_the_variance_of_the_laplacian() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), dtype=np.uint8)
    grey = luma(crops).astype(float)
    padded = np.pad(grey, ((0, 0), (1, 1), (1, 1)), mode="reflect")
    around = padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1] + padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:]
    assert blur(luma(crops)) == pytest.approx((around - 4 * grey).var(axis=(1, 2)), rel=1e-12)


@pytest.mark.parametrize("sigma", [1.0, 1.5, 2.0, 3.0])
def test_the_width_of_a_drawn_edge_is_found_whatever_its_contrast(sigma: float) -> None:
    step = np.array([erf((x - 55.3) / sigma / 2**0.5) for x in range(112)])
    edges = np.stack([128 + height * np.tile(step, (112, 1)) for height in (120, 30)]).round().astype(np.uint8)
    found = edge_width(edges, np.ones(edges.shape, bool))
    assert found[0] == pytest.approx(found[1], rel=0.08)
    # The squared gradient weighs the middle of the edge, where re-blurring costs most: a known, even bias.
    assert 0.6 * sigma < found[0] < 1.1 * sigma


def test_a_face_without_any_edge_is_not_sharp() -> None:
    flat = np.full((1, 112, 112), 90, np.uint8)
    width = edge_width(flat, np.ones(flat.shape, bool))
    assert width.tolist() == [10]
    assert sharpness(width, np.array([0.5]))[0] == pytest.approx(0.25)


def test_the_lower_bound_of_content_and_geometry_counts() -> None:
    score = sharpness(np.array([0.4, 1.0, 0.4, 1.0]), np.array([0.5, 0.5, 2.0, 8.0]))
    assert score == pytest.approx([100, 25, 50, 12.5])


def test_the_face_region_has_equal_halves() -> None:
    for side in (112, 160, 224):
        _, _, region = face_region(side)
        assert (region == region[:, ::-1]).all()
        assert region.sum() / side**2 == pytest.approx(0.33, abs=0.01)

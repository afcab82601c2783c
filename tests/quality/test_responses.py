"""Every measure answers a spoilt real face in the right direction, step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from facesieve.records import Measures

Measured = Callable[..., Measures]
SIGMAS = (0.5, 1, 1.5, 2, 3, 4, 6)
FACTORS = (1.25, 1.5, 2, 3, 4, 6)
GAINS = (1.0, 0.7, 0.5, 0.35, 0.25, 0.15)
LIGHTS = (1.0, 1.2, 1.4, 1.7, 2.0, 3.0)
QUALITIES = (90, 60, 30, 10, 5)


def falls(column: Any) -> bool:
    return bool((np.diff(column) < 0).all())


def never_rises(column: Any) -> bool:
    return bool((np.diff(column) <= 0).all())


def test_blurring_lowers_blur_and_sharpness_and_widens_edges(portrait: Any, measured: Measured) -> None:
    answer = measured([portrait, *(portrait.blurred(sigma) for sigma in SIGMAS)])
    assert falls(answer["blur"])
    assert falls(-answer["sharpness_native"])
    assert never_rises(answer["sharpness"])
    assert answer["sharpness"][0] == 100
    assert answer["sharpness"][-1] < 10
    assert falls(answer["dynamic_range"])


def test_shrinking_lowers_sharpness_size_and_eye_distance(portrait: Any, measured: Measured) -> None:
    answer = measured([portrait, *(portrait.shrunk(factor) for factor in FACTORS)])
    for name in ("blur", "inter_eye_distance", "inter_eye_distance_score", "face_size"):
        assert falls(answer[name]), name
    assert falls(-answer["upsampling"])
    assert falls(-answer["sharpness_native"])
    assert never_rises(answer["sharpness"])


def test_a_face_with_too_few_pixels_never_passes_as_sharp(portrait: Any, measured: Measured) -> None:
    small = [portrait.shrunk(factor).noisy(noise) for factor in (3, 4, 6) for noise in (0, 10, 30)]
    answer = measured(small)
    assert (answer["sharpness"] <= 100 / answer["upsampling"]).all()
    assert (answer["upsampling"] > 1.25).all()


@pytest.mark.parametrize("interpolation", [cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4])
def test_a_picture_that_was_enlarged_before_is_found_out(portrait: Any, measured: Measured, interpolation: int) -> None:
    answer = measured([portrait, *(portrait.enlarged_again(factor, interpolation) for factor in (1.5, 2, 3, 4, 6, 9))])
    assert len(set(answer["upsampling"])) == 1
    assert falls(-answer["sharpness_native"])
    assert never_rises(answer["sharpness"])
    assert answer["sharpness"][0] == 100
    assert answer["sharpness"][-1] < 30


def test_sharpness_does_not_mistake_noise_or_light_for_detail(portrait: Any, measured: Measured) -> None:
    soft = portrait.blurred(4)
    answer = measured([soft, soft.noisy(3), soft.exposed(0.5)])
    assert (answer["sharpness"] < 25).all()
    assert answer["sharpness"][2] == pytest.approx(answer["sharpness"][0], abs=2)
    # The reference's number is fooled by both.
    assert answer["blur"][1] > 1.4 * answer["blur"][0]
    assert answer["blur"][2] < 0.6 * answer["blur"][0]


def test_darkening_lowers_what_light_feeds(portrait: Any, measured: Measured) -> None:
    answer = measured([portrait.exposed(gain) for gain in GAINS])
    for name in ("blur", "dynamic_range", "luminance_mean", "luminance_mean_native", "luminance_variance_native"):
        assert falls(answer[name]), name
    assert never_rises(-answer["under_exposure_prevention_native"])
    assert never_rises(answer["under_exposure_prevention"])
    assert answer["under_exposure_prevention"][0] > 99
    assert answer["under_exposure_prevention"][-1] == 0


def test_over_exposing_lowers_what_burning_out_costs(portrait: Any, measured: Measured) -> None:
    answer = measured([portrait.exposed(gain) for gain in LIGHTS])
    assert falls(-answer["luminance_mean_native"])
    assert falls(-answer["over_exposure_prevention_native"])
    assert falls(answer["over_exposure_prevention"][1:])
    assert answer["over_exposure_prevention"][0] > 95
    assert answer["over_exposure_prevention"][-1] < 5
    assert never_rises(-answer["luminance_mean_native"])
    assert answer["luminance_mean"][-1] < answer["luminance_mean"][0]
    assert never_rises(answer["dynamic_range"][2:])


def test_light_from_one_side_lowers_illumination_uniformity(portrait: Any, measured: Measured) -> None:
    answer = measured([portrait.shaded(share) for share in (1, 0.8, 0.6, 0.4, 0.2)])
    assert falls(answer["illumination_uniformity"])
    assert falls(answer["illumination_uniformity_native"])


def test_compressing_widens_the_edges_of_a_sharp_face_and_flattens_its_tones(portrait: Any, measured: Measured) -> None:
    small = portrait.shrunk(2)
    answer = measured([small, *(small.compressed(quality) for quality in QUALITIES)])
    assert never_rises(-answer["sharpness_native"][1:4])
    assert answer["sharpness_native"][3] > answer["sharpness_native"][0]
    assert never_rises(answer["sharpness"][:4])
    assert falls(answer["dynamic_range"][3:])
    assert answer["dynamic_range"][-1] < answer["dynamic_range"][0] - 3


def test_strong_compression_raises_blockiness(portrait: Any, measured: Measured) -> None:
    answer = measured([portrait, *(portrait.compressed(quality) for quality in (60, 40, 20, 10, 5))])
    assert falls(-answer["blockiness"])
    assert answer["blockiness"][0] < 1.2
    assert answer["blockiness"][-1] > 2.5


def test_usual_compression_does_not_make_a_blurred_face_look_sharp(portrait: Any, measured: Measured) -> None:
    soft = portrait.shrunk(2).blurred(1)
    answer = measured([soft, *(soft.compressed(quality) for quality in (95, 80, 60, 40, 30))])
    assert (answer["sharpness"] < answer["sharpness"][0] + 5).all()


def test_a_face_over_the_edge_counts_the_share_outside(portrait: Any, measured: Measured) -> None:
    middle = portrait.landmarks[2, 0]
    cut = [
        replace(portrait, pixels=portrait.pixels[:, int(at) :], landmarks=portrait.landmarks - (int(at), 0))
        for at in middle + (portrait.landmarks[1, 0] - middle) * np.array([-3.4, -1, -0.5, 0, 0.5])
    ]
    answer = measured(cut)
    assert answer["outside"][0] == 0
    assert falls(-answer["outside"])
    # Half of the crop, within the tilt of the head.
    assert answer["outside"][3] == pytest.approx(0.5, abs=0.06)


def test_what_lies_outside_the_picture_is_not_taken_for_darkness_or_for_an_edge(
    portrait: Any, measured: Measured
) -> None:
    soft = portrait.blurred(4)
    at = int(portrait.landmarks[0, 0])
    cut = replace(soft, pixels=soft.pixels[:, at:], landmarks=soft.landmarks - (at, 0))
    answer = measured([soft, cut])
    assert answer["outside"][1] > 0.2
    assert answer["under_exposure_prevention_native"][1] < answer["under_exposure_prevention_native"][0] + 0.1
    assert answer["sharpness"][1] < answer["sharpness"][0] * 1.5

"""Fitness and prominence: numbers that order faces."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from facesieve.quality import FITNESS_PARTS, fitness, prominence
from facesieve.quality.fitness import WEIGHTS

GOOD = {
    "sharpness": 90.0,
    "blur": 300.0,
    "yaw": 5.0,
    "pitch": -5.0,
    "roll": 3.0,
    "inter_eye_distance": 60.0,
    "confidence": 0.999,
    "under_exposure_prevention": 98.0,
    "over_exposure_prevention": 97.0,
    "dynamic_range": 85.0,
    "illumination_uniformity": 80.0,
}


def of(**changes: float) -> float:
    return float(fitness({name: np.array([value]) for name, value in (GOOD | changes).items()})[0])


def test_a_good_face_is_fit_and_the_weights_sum_to_one() -> None:
    assert sum(WEIGHTS.values()) == pytest.approx(1)
    assert set(GOOD) == set(FITNESS_PARTS)
    assert of() == pytest.approx(78.384, abs=0.001)


def test_the_best_face_has_100_and_the_worst_5() -> None:
    scores = dict.fromkeys([name for name in GOOD if name.endswith(("prevention", "range", "uniformity"))], 100.0)
    best = of(**scores, sharpness=100, blur=1e9, yaw=0, pitch=0, roll=0, inter_eye_distance=1e9, confidence=1)
    assert best == pytest.approx(100, abs=1e-4)
    assert best <= 100
    none = dict.fromkeys(GOOD, 0.0) | {"yaw": 180.0}
    assert of(**none) == pytest.approx(5)


@pytest.mark.parametrize("name", FITNESS_PARTS)
def test_it_never_falls_when_a_part_gets_better(name: str) -> None:
    values = np.linspace(90, 0, 40) if name in ("yaw", "pitch", "roll") else np.linspace(0, 100, 40)
    if name == "confidence":
        values = values / 100
    found = [of(**{name: value}) for value in values]
    assert all(later >= earlier for earlier, later in pairwise(found))
    assert found[-1] > found[0] + 1
    assert of(**{name: -values[-2]}) == of(**{name: values[-2]}) or name not in ("yaw", "pitch", "roll")


def test_a_face_without_a_pose_is_between_a_frontal_and_a_turned_one() -> None:
    assert of(yaw=80) < of(yaw=np.nan, pitch=np.nan, roll=np.nan) < of(yaw=0)
    assert np.isnan(of(sharpness=np.nan))


def test_spoilt_faces_are_less_fit(portrait: Any, measured: Any) -> None:
    spoilt = [portrait, portrait.blurred(2), portrait.shrunk(3), portrait.exposed(0.2), portrait.exposed(3.0)]
    whole, *less = measured(spoilt)["fitness"].tolist()
    assert all(one < whole for one in less)


def test_prominence_falls_with_the_distance_from_the_middle_and_rises_with_size() -> None:
    sizes = np.array([[200.0, 100.0]] * 5)
    boxes = np.array([[0, 0, 200, 100], [90, 40, 20, 20], [0, 0, 20, 20], [80, 30, 40, 40], [-50, -50, 20, 20]], float)
    found = prominence(boxes, sizes).tolist()
    assert found[0] == 1
    assert found[1] == pytest.approx((400 / 20000) ** 0.5)
    assert found[2] == pytest.approx((400 / 20000) ** 0.5 * (1 - np.hypot(90, 40) / np.hypot(100, 50) / 2))
    assert found[3] == pytest.approx(2 * found[1])
    assert found[4] == pytest.approx(found[1] / 2), "further than a corner counts as a corner"
    assert prominence(np.empty((0, 4)), np.empty((0, 2))).shape == (0,)

"""One number from 0 to 100 that orders faces by how fit they are for recognition."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from facesieve.quality.table import FITNESS_PARTS
from facesieve.records import Floats

# How much each part counts. The sum is 1. Chosen without labels, see docs/thresholds.md.
WEIGHTS = {"sharpness": 0.2, "contrast": 0.15, "pose": 0.2, "eyes": 0.15, "light": 0.1, "confidence": 0.2}
LEAST = 0.05  # of each part, so that the other parts still order faces without sharpness
NO_POSE = 0.5  # for a face whose pose was not measured
BLUR = 200.0  # the blur that counts as half
UNSURE = 0.01  # a confidence so far below 1 counts as half
EYES = 35.0  # pixels between the eyes that count as half: as many as an aligned crop has
LIGHT = ("under_exposure_prevention", "over_exposure_prevention", "dynamic_range", "illumination_uniformity")


def fitness(columns: Mapping[str, Floats]) -> Floats:
    """(N,) 0 to 100: the weighted harmonic mean of six parts from 0.05 to 1, times 100.

    The harmonic mean is near the weakest part. Only sums, products and quotients are used, so the last bits are the
    same on every processor. It never falls when a part gets better. columns: (N,) float64 of every measure in
    `FITNESS_PARTS`. NaN where any of these but the pose is NaN.
    """
    held = {name: columns[name] for name in FITNESS_PARTS}
    turned = [_frontal(held["yaw"], 90), _frontal(held["pitch"], 60), _frontal(held["roll"], 180)]
    pose = turned[0] * turned[1] * turned[2]
    light = held[LIGHT[0]] + held[LIGHT[1]] + held[LIGHT[2]] + held[LIGHT[3]]
    parts = {
        "sharpness": held["sharpness"] / 100,
        "contrast": held["blur"] / (held["blur"] + BLUR),
        "pose": np.where(np.isnan(pose), NO_POSE, pose),
        "eyes": held["inter_eye_distance"] / (held["inter_eye_distance"] + EYES),
        "light": light / 400,
        "confidence": UNSURE / (UNSURE + 1 - held["confidence"]),
    }
    total = np.zeros(len(held["confidence"]))
    for name, weight in WEIGHTS.items():
        total = total + weight / np.clip(parts[name], LEAST, 1)
    return np.asarray(np.clip(100 / total, 0, 100), np.float64)


def _frontal(degrees: Floats, none_left: float) -> Floats:
    """1 for a face that looks into the camera, and 0 from an angle of `none_left` degrees."""
    return np.maximum(1 - np.abs(degrees) / none_left, 0)

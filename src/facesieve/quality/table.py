"""The names and meanings of all measures. A test compares these tables with `docs/measures.md`."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Literal


@dataclass(frozen=True, slots=True)
class Measure:
    """One column of the manifest.

    name: of the column. unit: of its values, or "". low, high: the least and the greatest possible value, inclusive.
    better: which values are better for recognition; `near zero` for angles, `middle` where both ends are bad.
    iso_name: the quality component of ISO/IEC 29794-5:2025 that it follows, or "".
    sentence: its meaning. source: of its definition.
    """

    name: str
    unit: str
    low: float
    high: float
    better: Literal["high", "low", "near zero", "middle"]
    iso_name: str
    sentence: str
    source: str


ISO = "ISO/IEC 29794-5:2025 as published in BSI OFIQ"

MEASURES: tuple[Measure, ...] = (
    Measure("confidence", "", 0, 1, "high", "", "How sure the detector is that this is a face.", "MTCNN, O-Net"),
    Measure(
        "pitch",
        "degrees",
        -180,
        180,
        "near zero",
        "HeadPosePitch",
        "Head turn up or down; positive is up.",
        "pose model",
    ),
    Measure(
        "yaw",
        "degrees",
        -180,
        180,
        "near zero",
        "HeadPoseYaw",
        "Head turn left or right; positive is to the viewer's right.",
        "pose model",
    ),
    Measure(
        "roll",
        "degrees",
        -180,
        180,
        "near zero",
        "HeadPoseRoll",
        "Head tilt in the image plane; positive is clockwise, near 180 or -180 is upside down.",
        "pose model",
    ),
    Measure(
        "blur",
        "",
        0,
        inf,
        "high",
        "",
        "Variance of the Laplacian of the aligned crop; low is blurred, but it also falls with contrast and size.",
        "Pech-Pacheco et al., ICPR 2000",
    ),
    Measure(
        "sharpness",
        "score",
        0,
        100,
        "high",
        "Sharpness",
        "Share of the possible detail that the crop really has; enlarging a small face does not raise it.",
        "re-blur ratio after Zhuo and Sim, Pattern Recognition 2011; not the random forest of OFIQ",
    ),
    Measure(
        "sharpness_native",
        "crop pixels",
        0,
        10,
        "low",
        "Sharpness",
        "Width (sigma) of the edges in the aligned crop, whatever their contrast.",
        "re-blur ratio after Zhuo and Sim, Pattern Recognition 2011",
    ),
    Measure(
        "under_exposure_prevention",
        "score",
        0,
        100,
        "high",
        "UnderExposurePrevention",
        "Falls when much of the face is nearly black.",
        ISO,
    ),
    Measure(
        "under_exposure_prevention_native",
        "share",
        0,
        1,
        "low",
        "UnderExposurePrevention",
        "Share of the face with linear luminance 25 or less of 255.",
        ISO,
    ),
    Measure(
        "over_exposure_prevention",
        "score",
        0,
        100,
        "high",
        "OverExposurePrevention",
        "Falls fast when some of the face is over-exposed.",
        ISO,
    ),
    Measure(
        "over_exposure_prevention_native",
        "share",
        0,
        1,
        "low",
        "OverExposurePrevention",
        "Share of the face with linear luminance 247 or more of 255.",
        ISO,
    ),
    Measure("dynamic_range", "score", 0, 100, "high", "DynamicRange", "How many luminance levels the face uses.", ISO),
    Measure(
        "dynamic_range_native", "bits", 0, 8, "high", "DynamicRange", "Entropy of the face's luminance histogram.", ISO
    ),
    Measure(
        "illumination_uniformity",
        "score",
        0,
        100,
        "high",
        "IlluminationUniformity",
        "Falls when the left and right half of the face are lit differently.",
        ISO + "; on the halves of the face region, since the standard's zones hold about 100 pixels of a crop",
    ),
    Measure(
        "illumination_uniformity_native",
        "share",
        0,
        1,
        "high",
        "IlluminationUniformity",
        "Intersection of the luminance histograms of the left and right half.",
        ISO + "; on the halves of the face region",
    ),
    Measure("luminance_mean", "score", 0, 100, "high", "LuminanceMean", "Falls when the face is dark or glaring.", ISO),
    Measure(
        "luminance_mean_native", "share", 0, 1, "middle", "LuminanceMean", "Mean linear luminance of the face.", ISO
    ),
    Measure(
        "luminance_variance", "score", 0, 100, "high", "LuminanceVariance", "Falls when contrast is weak or harsh.", ISO
    ),
    Measure(
        "luminance_variance_native",
        "",
        0,
        0.25,
        "middle",
        "LuminanceVariance",
        "Variance of the linear luminance of the face.",
        ISO,
    ),
    Measure(
        "inter_eye_distance",
        "pixels",
        0,
        inf,
        "high",
        "InterEyeDistance",
        "Distance between the eyes in the picture, as seen.",
        "landmarks",
    ),
    Measure(
        "inter_eye_distance_score",
        "score",
        0,
        100,
        "high",
        "InterEyeDistance",
        "Score of the eye distance after correcting it for yaw: 50 at 70 pixels; not measured without a pose.",
        ISO,
    ),
    Measure("face_size", "pixels", 0, inf, "high", "", "Shorter side of the face's box in the picture.", "box"),
    Measure("outside", "share", 0, 1, "low", "", "Share of the aligned crop outside the picture.", "alignment"),
    Measure(
        "upsampling",
        "factor",
        0,
        inf,
        "low",
        "",
        "Crop pixels per picture pixel along one axis; above 1 the face was enlarged.",
        "alignment",
    ),
    Measure(
        "blockiness",
        "ratio",
        0,
        inf,
        "low",
        "",
        "Steps across the borders of JPEG's blocks over steps elsewhere in the box; about 1 where there is no grid.",
        "after Wang, Sheikh and Bovik, ICIP 2002",
    ),
    Measure(
        "prominence",
        "share",
        0,
        1,
        "high",
        "",
        "Size of the face relative to the picture, less the further it is from the middle.",
        "box",
    ),
    Measure(
        "fitness",
        "score",
        0,
        100,
        "high",
        "",
        "Orders faces by how fit they are for recognition; not measured where a part of it is not.",
        "sharpness, blur, pose, eye distance, light, confidence",
    ),
    Measure(
        "pose_spread",
        "degrees",
        0,
        99,
        "low",
        "",
        "How unsure the pose model is: the standard deviation of its least certain angle; only Sievepose measures it.",
        "pose model",
    ),
)

# The measures that `fitness` is computed from.
FITNESS_PARTS = (
    *("sharpness", "blur", "yaw", "pitch", "roll", "inter_eye_distance", "confidence"),
    *("under_exposure_prevention", "over_exposure_prevention", "dynamic_range", "illumination_uniformity"),
)

# Numbers that need the other faces. They are computed among the faces that passed every rule before theirs.
PICTURE_RELATIONS: tuple[Measure, ...] = (
    Measure("faces_in_picture", "", 1, inf, "low", "", "How many faces the picture has.", "relation"),
    Measure(
        "rank_in_picture",
        "",
        1,
        inf,
        "low",
        "",
        "Place of the face among those of its picture; 1 is the main face.",
        "relation",
    ),
)

# Relations of faces in one track of a clip. A face of a still picture is a track of its own.
TRACK_RELATIONS: tuple[Measure, ...] = (
    Measure("track_length", "", 1, inf, "high", "", "How many faces the track has.", "relation"),
    Measure(
        "rank_in_track",
        "",
        1,
        inf,
        "low",
        "",
        "Place of the face among the distinct shots of its track by fitness; 1 is the best shot.",
        "relation",
    ),
)

LABEL_RELATIONS: tuple[Measure, ...] = (
    Measure(
        "label_distance",
        "",
        0,
        inf,
        "low",
        "",
        "Distance of the embedding from the centre of the other faces under its label.",
        "relation",
    ),
    Measure(
        "label_margin",
        "",
        -inf,
        inf,
        "high",
        "",
        "Distance from the nearest centre of another person's label, minus the distance from the own one.",
        "relation",
    ),
)

DUPLICATE_RELATIONS: tuple[Measure, ...] = (
    Measure(
        "twin_distance",
        "",
        0,
        1,
        "high",
        "",
        "Share of the hash's bits that differ from the nearest near-duplicate; 1 if there is none.",
        "relation",
    ),
    Measure(
        "rank_among_duplicates",
        "",
        1,
        inf,
        "low",
        "",
        "Place of the face among its near-duplicates by fitness; 1 is the fittest.",
        "relation",
    ),
)

HELD_OUT_RELATIONS: tuple[Measure, ...] = (
    Measure(
        "held_out_distance",
        "",
        0,
        inf,
        "high",
        "",
        "Distance of the face or its label from the nearest one of another dataset, by embedding or else by hash.",
        "relation",
    ),
)

DATASET_RELATIONS = LABEL_RELATIONS + DUPLICATE_RELATIONS + HELD_OUT_RELATIONS
RELATIONS = PICTURE_RELATIONS + TRACK_RELATIONS + DATASET_RELATIONS
OF_ONE_PICTURE = MEASURES + PICTURE_RELATIONS  # what can be computed from one picture
ALL_MEASURES = MEASURES + RELATIONS
_RELATED = frozenset(measure.name for measure in RELATIONS)


def measure_named(name: str) -> Measure | None:
    """The measure of that name, or None."""
    return next((measure for measure in ALL_MEASURES if measure.name == name), None)


def is_relation(name: str) -> bool:
    """Whether the measure of that name needs the other faces."""
    return name in _RELATED

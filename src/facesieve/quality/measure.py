"""All measures of all faces of a batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facesieve.native import Extension
from facesieve.quality import contrast, exposure, illumination, luminance, sharpness, size
from facesieve.quality.blockiness import blockiness
from facesieve.quality.blur import blur, luma
from facesieve.quality.region import inside
from facesieve.quality.table import MEASURES
from facesieve.records import Faces, Floats, Integers, Measures, Photo, Pixels

# Crops that are measured together: few enough to stay in the cache, whatever the size of the batch.
BLOCK = 16


def measure(
    photos: Sequence[Photo],
    faces: Faces,
    crops: Pixels,
    matrices: Floats,
    pose: Floats,
    extension: Extension | None = None,
) -> Measures:
    """Every measure of `MEASURES`, in its order, for N faces.

    crops: (N, S, S, 3) uint8 RGB, aligned; `blur` is comparable with published values at S = 112 only.
    matrices: (N, 2, 3), or (N, 3, 3) for a perspective, float64, photo to crop, as `cv2.warpAffine` takes them.
    pose: (N, 3) degrees pitch, yaw, roll; NaN where it was not measured.
    extension: computes what it can where it is given; the numbers are the same.
    A face's numbers do not depend on which faces it is measured together with.
    """
    sizes = np.array([(photo.width, photo.height) for photo in photos], np.float64).reshape(-1, 2)[faces.photo]
    seen = _by_blocks(crops, matrices, sizes, extension)
    enlarged = size.upsampling(matrices, crops.shape[1])
    apart = size.inter_eye_distance(faces.landmarks)
    columns = seen | {
        "confidence": faces.confidence,
        "pitch": pose[:, 0],
        "yaw": pose[:, 1],
        "roll": pose[:, 2],
        "sharpness": sharpness.sharpness(seen["sharpness_native"], enlarged),
        "inter_eye_distance": apart,
        "inter_eye_distance_score": size.inter_eye_distance_score(apart, pose[:, 1]),
        "face_size": size.face_size(faces.boxes),
        "upsampling": enlarged,
        "blockiness": blockiness(photos, faces),
    }
    return Measures({row.name: np.ascontiguousarray(columns[row.name], np.float64) for row in MEASURES})


def _by_blocks(crops: Pixels, matrices: Floats, sizes: Floats, extension: Extension | None) -> dict[str, Floats]:
    starts = range(0, max(len(crops), 1), BLOCK)
    spans = [slice(start, start + BLOCK) for start in starts]
    blocks = [_seen(crops[span], matrices[span], sizes[span], extension) for span in spans]
    return {name: np.concatenate([block[name] for block in blocks]) for name in blocks[0]}


def _seen(crops: Pixels, matrices: Floats, sizes: Floats, extension: Extension | None) -> dict[str, Floats]:
    """What the pixels of the crops say."""
    side = crops.shape[1]
    shown = inside(matrices, sizes, side)
    grey = luma(crops)
    width = sharpness.edge_width(grey, inside(matrices, sizes, side, margin=sharpness.REACH))
    return {
        "blur": blur(grey, extension),
        "sharpness_native": width,
        "outside": size.outside(shown),
    } | _light(luminance.histograms(crops, shown))


def _light(counts: Integers) -> dict[str, Floats]:
    face = luminance.shares(counts.sum(axis=1))
    under, over = exposure.under_exposure(face), exposure.over_exposure(face)
    bits = contrast.entropy(face)
    alike = illumination.uniformity(luminance.shares(counts))
    mean, variance = luminance.mean(face), luminance.variance(face)
    return {
        "under_exposure_prevention_native": under,
        "under_exposure_prevention": exposure.under_exposure_prevention(under),
        "over_exposure_prevention_native": over,
        "over_exposure_prevention": exposure.over_exposure_prevention(over),
        "dynamic_range_native": bits,
        "dynamic_range": contrast.dynamic_range(bits),
        "illumination_uniformity_native": alike,
        "illumination_uniformity": illumination.illumination_uniformity(alike),
        "luminance_mean_native": mean,
        "luminance_mean": contrast.luminance_mean_score(mean),
        "luminance_variance_native": variance,
        "luminance_variance": contrast.luminance_variance_score(variance),
    }

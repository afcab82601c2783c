"""All measures of all faces of a batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facesieve.native import Extension
from facesieve.quality import sharpness, size
from facesieve.quality.blockiness import blockiness
from facesieve.quality.blur import blur, luma
from facesieve.quality.fitness import fitness
from facesieve.quality.light import histograms, light_measures
from facesieve.quality.region import inside
from facesieve.quality.table import MEASURES
from facesieve.records import ANGLES, Faces, Floats, Measures, Photo, Pixels, Poses

# Crops that are measured together; more would not fit into the processor's cache.
CROPS_AT_ONCE = 16


def measure(
    photos: Sequence[Photo],
    faces: Faces,
    crops: Pixels,
    matrices: Floats,
    poses: Poses,
    extension: Extension | None = None,
) -> Measures:
    """Every measure of `MEASURES`, in its order, for N faces.

    crops: (N, S, S, 3) uint8 RGB, aligned; `blur` is comparable with published values at S = 112 only.
    matrices: (N, 2, 3), or (N, 3, 3) for a perspective, float64, photo to crop, as `cv2.warpAffine` takes them.
    extension: computes what it can; None leaves it to OpenCV, and the numbers are the same.
    Returns one (N,) float64 column for each measure. A face's numbers do not depend on the other faces.
    """
    sizes = np.array([(photo.width, photo.height) for photo in photos], np.float64).reshape(-1, 2)[faces.photo]
    from_pixels = _from_pixels_in_batches(crops, matrices, sizes, extension)
    upsampling = size.upsampling(matrices, crops.shape[1])
    eye_distance = size.inter_eye_distance(faces.landmarks)
    columns = from_pixels | {
        "confidence": faces.confidence,
        **dict(zip(ANGLES, poses.degrees.T, strict=True)),
        "pose_spread": poses.spread,
        "sharpness": sharpness.sharpness(from_pixels["sharpness_native"], upsampling),
        "inter_eye_distance": eye_distance,
        "inter_eye_distance_score": size.inter_eye_distance_score(eye_distance, poses.degrees[:, 1]),
        "face_size": size.face_size(faces.boxes),
        "upsampling": upsampling,
        "blockiness": blockiness(photos, faces),
        "prominence": size.prominence(faces.boxes, sizes),
    }
    columns["fitness"] = fitness(columns)
    return Measures({row.name: np.ascontiguousarray(columns[row.name], np.float64) for row in MEASURES})


def _from_pixels_in_batches(
    crops: Pixels, matrices: Floats, sizes: Floats, extension: Extension | None
) -> dict[str, Floats]:
    starts = range(0, max(len(crops), 1), CROPS_AT_ONCE)
    spans = [slice(start, start + CROPS_AT_ONCE) for start in starts]
    parts = [_from_pixels(crops[span], matrices[span], sizes[span], extension) for span in spans]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _from_pixels(crops: Pixels, matrices: Floats, sizes: Floats, extension: Extension | None) -> dict[str, Floats]:
    """The measures that follow from the pixels of the crops."""
    side = crops.shape[1]
    shown = inside(matrices, sizes, side)
    grey = luma(crops)
    width = sharpness.edge_width(grey, inside(matrices, sizes, side, margin=sharpness.REACH))
    return {
        "blur": blur(grey, extension),
        "sharpness_native": width,
        "outside": size.outside(shown),
    } | light_measures(histograms(crops, shown))

"""All measures of a batch of faces."""

from __future__ import annotations

from collections.abc import Sequence

from facesieve.quality import luminance as light
from facesieve.quality.blockiness import blockiness
from facesieve.quality.blur import blur
from facesieve.quality.sharpness import sharpness, sharpness_native
from facesieve.quality.size import face_size, inter_eye_distance, outside, upsampling
from facesieve.records import Faces, Floats, Measures, Photo, Pixels


def measure(photos: Sequence[Photo], faces: Faces, crops: Pixels, matrices: Floats, pose: Floats) -> Measures:
    """One column a measure, named as in MEASURES, one row a face.

    crops: (N, 112, 112, 3) uint8 RGB, aligned by `matrices` (N, 2, 3), photo to crop. pose: (N, 3) degrees pitch,
    yaw, roll, NaN where unknown.
    """
    native_sharpness = sharpness_native(crops)
    levels = light.luminance(crops)
    shares = light.histograms(levels[:, light.FACE])
    mean, variance = light.moments(shares)
    dark, bright, bits = light.dark_share(shares), light.bright_share(shares), light.entropy(shares)
    cheeks = light.cheek_overlap(levels)
    return Measures(
        {
            "confidence": faces.confidence,
            "pitch": pose[:, 0],
            "yaw": pose[:, 1],
            "roll": pose[:, 2],
            "blur": blur(crops),
            "sharpness": sharpness(native_sharpness),
            "sharpness_native": native_sharpness,
            "under_exposure_prevention": light.under_exposure_prevention(dark),
            "under_exposure_native": dark,
            "over_exposure_prevention": light.over_exposure_prevention(bright),
            "over_exposure_native": bright,
            "dynamic_range": light.dynamic_range(bits),
            "dynamic_range_native": bits,
            "illumination_uniformity": light.illumination_uniformity(cheeks),
            "illumination_native": cheeks,
            "luminance_mean": light.luminance_mean(mean),
            "luminance_mean_native": mean,
            "luminance_variance": light.luminance_variance(variance),
            "luminance_variance_native": variance,
            "inter_eye_distance": inter_eye_distance(faces),
            "face_size": face_size(faces),
            "upsampling": upsampling(matrices),
            "outside": outside(photos, faces, matrices, crops.shape[1]),
            "blockiness": blockiness(photos, faces),
        }
    )

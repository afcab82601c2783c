"""Every measure by name: its unit, its range, which way is better, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Measure:
    """What a column of the manifest means. iso: the ISO/IEC 29794-5 component it is or feeds, or ""."""

    name: str
    unit: str
    low: float
    high: float | None
    better: Literal["higher", "lower", "middle"]
    sentence: str
    source: str
    iso: str = ""


_MTCNN = "O-Net of MTCNN (Zhang et al., 2016)"
_POSE = "WHENet (Zhou and Gregson, 2020) or Hopenet (Ruiz et al., 2018)"
_OFIQ = "OFIQ (BSI, 2024), on our crop"

MEASURES = (
    Measure("confidence", "", 0, 1, "higher", "How sure the detector is that this is a face.", _MTCNN),
    Measure("pitch", "degrees", -180, 180, "middle", "Head up (positive) or down.", _POSE, "HeadPosePitch"),
    Measure("yaw", "degrees", -180, 180, "middle", "Head turned to the viewer's right (positive) or left.", _POSE,
            "HeadPoseYaw"),
    Measure("roll", "degrees", -180, 180, "middle", "Head leaning clockwise (positive) or against it.", _POSE,
            "HeadPoseRoll"),
    Measure("blur", "", 0, None, "higher", "Variance of the Laplacian of the aligned crop, the reference's number.",
            "Pech-Pacheco et al. (2000)"),
    Measure("sharpness", "", 0, 100, "higher", "How much of the detail that 112 pixels can hold is really there.",
            "This project; octave energies", "Sharpness"),
    Measure("sharpness_native", "", 0, None, "higher", "Energy of the finest octave over the next two.",
            "This project; Field (1987)", "Sharpness"),
    Measure("under_exposure_prevention", "", 0, 100, "higher", "Low when nearly all of the face is black.", _OFIQ,
            "UnderExposurePrevention"),
    Measure("under_exposure_native", "share", 0, 1, "lower", "Share of the face with luminance 0 to 25.", _OFIQ,
            "UnderExposurePrevention"),
    Measure("over_exposure_prevention", "", 0, 100, "higher", "Low when some of the face is burnt out.", _OFIQ,
            "OverExposurePrevention"),
    Measure("over_exposure_native", "share", 0, 1, "lower", "Share of the face with luminance 247 to 255.", _OFIQ,
            "OverExposurePrevention"),
    Measure("dynamic_range", "", 0, 100, "higher", "Low when the face uses few levels of luminance.", _OFIQ,
            "DynamicRange"),
    Measure("dynamic_range_native", "bits", 0, 8, "higher", "Entropy of the luminance of the face.", _OFIQ,
            "DynamicRange"),
    Measure("illumination_uniformity", "", 0, 100, "higher", "Low when the cheeks are lit differently.", _OFIQ,
            "IlluminationUniformity"),
    Measure("illumination_native", "share", 0, 1, "higher", "Intersection of the cheeks' histograms.", _OFIQ,
            "IlluminationUniformity"),
    Measure("luminance_mean", "", 0, 100, "higher", "Low when the face is dark or pale on the whole.", _OFIQ,
            "LuminanceMean"),
    Measure("luminance_mean_native", "", 0, 1, "middle", "Mean linear luminance of the face.", _OFIQ,
            "LuminanceMean"),
    Measure("luminance_variance", "", 0, 100, "higher", "Low when the light is flat or harsh.", _OFIQ,
            "LuminanceVariance"),
    Measure("luminance_variance_native", "", 0, 0.25, "middle", "Variance of the linear luminance of the face.",
            _OFIQ, "LuminanceVariance"),
    Measure("inter_eye_distance", "px", 0, None, "higher", "Pixels of the photo between the eyes.",
            "ISO/IEC 29794-5:2025", "InterEyeDistance"),
    Measure("face_size", "px", 0, None, "higher", "Shorter side of the box, in pixels of the photo.", "This project"),
    Measure("upsampling", "", 0, None, "lower", "Crop pixels to one photo pixel; above 1 the face was enlarged.",
            "This project"),
    Measure("outside", "share", 0, 1, "lower", "Share of the aligned crop that lies outside the photo.",
            "This project"),
    Measure("blockiness", "", 0, None, "lower", "Steps across JPEG's block borders over steps elsewhere.",
            "Wang, Sheikh and Bovik (2002)"),
)  # fmt: skip

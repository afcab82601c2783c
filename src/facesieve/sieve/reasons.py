"""Why a face is not kept: a closed list of codes, each with one sentence, and which limit gives which."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Codes are stable: they stand in manifests and answers."""

    LOW_CONFIDENCE = "low_confidence"
    BLURRED = "blurred"
    TURNED = "turned"
    NODDING = "nodding"
    TILTED = "tilted"
    POSE_NOT_MEASURED = "pose_not_measured"
    UNSHARP = "unsharp"
    UPSAMPLED = "upsampled"
    TOO_SMALL = "too_small"
    CUT_OFF = "cut_off"
    UNDEREXPOSED = "underexposed"
    OVEREXPOSED = "overexposed"
    LOW_CONTRAST = "low_contrast"
    UNEVEN_LIGHT = "uneven_light"
    BELOW_LIMIT = "below_limit"
    ABOVE_LIMIT = "above_limit"
    NOT_MEASURED = "not_measured"

    @property
    def sentence(self) -> str:
        """What the code means, for a person."""
        return _SENTENCES[self]


_SENTENCES = {
    Reason.LOW_CONFIDENCE: "The detector is not sure enough that this is a face.",
    Reason.BLURRED: "The aligned crop has too little fine detail (variance of the Laplacian).",
    Reason.TURNED: "The head is turned too far to the left or right (yaw).",
    Reason.NODDING: "The head looks too far up or down (pitch).",
    Reason.TILTED: "The head leans too far towards a shoulder (roll).",
    Reason.POSE_NOT_MEASURED: "The head pose is not known: the confidence is below the measuring floor.",
    Reason.UNSHARP: "The face is not sharp at its own resolution, or has too little of it.",
    Reason.UPSAMPLED: "The face had to be enlarged too much to fill the crop.",
    Reason.TOO_SMALL: "The face, or the distance between its eyes, has too few pixels in the photo.",
    Reason.CUT_OFF: "Too much of the aligned crop lies outside the photo.",
    Reason.UNDEREXPOSED: "Too much of the face is nearly black.",
    Reason.OVEREXPOSED: "Too much of the face is nearly white.",
    Reason.LOW_CONTRAST: "The face uses too few of the brightness levels there are.",
    Reason.UNEVEN_LIGHT: "One half of the face is lit very differently from the other.",
    Reason.BELOW_LIMIT: "Another measure is below the limit set for it.",
    Reason.ABOVE_LIMIT: "Another measure is above the limit set for it.",
    Reason.NOT_MEASURED: "A measure that the policy asks for could not be taken.",
}

ANGLES = {"pitch": Reason.NODDING, "yaw": Reason.TURNED, "roll": Reason.TILTED}

TOO_LOW = {
    "confidence": Reason.LOW_CONFIDENCE,
    "blur": Reason.BLURRED,
    "sharpness": Reason.UNSHARP,
    "inter_eye_distance": Reason.TOO_SMALL,
    "face_size": Reason.TOO_SMALL,
    "under_exposure_prevention": Reason.UNDEREXPOSED,
    "over_exposure_prevention": Reason.OVEREXPOSED,
    "dynamic_range": Reason.LOW_CONTRAST,
    "illumination_uniformity": Reason.UNEVEN_LIGHT,
}

TOO_HIGH = {
    "upsampling": Reason.UPSAMPLED,
    "outside": Reason.CUT_OFF,
}

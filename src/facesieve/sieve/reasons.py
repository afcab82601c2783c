"""The closed list of reasons why a face is not kept. A test compares it with `docs/policies.md`."""

from __future__ import annotations

from facesieve.codes import Code
from facesieve.records import ANGLES, BY_HAND, FORMER_REASONS


class Reason(Code):
    """Why a face is not kept: a stable code, with a `sentence` for people."""

    LOW_CONFIDENCE = "low_confidence", "The detector is not sure enough that this is a face."
    BLURRED = "blurred", "The crop shows too little contrast at its edges: it is blurred, small or flat."
    NOT_SHARP = "not_sharp", "The crop carries too little real detail."
    TURNED = "turned", "The head is turned too far to a side."
    PITCHED = "pitched", "The head is turned too far up or down."
    TILTED = "tilted", "The head is tilted too far in the picture."
    UNDER_EXPOSED = "under_exposed", "Too much of the face is nearly black."
    OVER_EXPOSED = "over_exposed", "Too much of the face is over-exposed."
    FLAT = "flat", "The face uses too few levels of brightness."
    UNEVEN_LIGHT = "uneven_light", "The two halves of the face are lit too differently."
    BAD_LIGHT = "bad_light", "The face is too dark, too bright, too flat or too harsh in light."
    TOO_SMALL = "too_small", "The face has too few pixels in the picture."
    CUT_OFF = "cut_off", "Too much of the crop lies outside the picture."
    ENLARGED = "enlarged", "The face had to be enlarged too much to fill the crop."
    COMPRESSED = "compressed", "The picture was compressed so far that the blocks of JPEG show on the face."
    NOT_PROMINENT = "not_prominent", "The face is too small in its picture or too far from the middle."
    NOT_FIT = "not_fit", "The face is not fit enough for recognition."
    CROWDED = "crowded", "The picture has too many faces."
    NOT_THE_MAIN_FACE = (
        "not_the_main_face",
        "Another face of the picture is larger, more central, or more like its label.",
    )
    SHORT_TRACK = "short_track", "The track of the face in the clip has too few faces."
    NOT_A_BEST_SHOT = "not_a_best_shot", "The track has better shots, or a fitter one of about the same time and pose."
    OTHER_PERSON = "other_person", "The face is not like the other faces under its label."
    NEAR_DUPLICATE = "near_duplicate", "A fitter face of the dataset is nearly the same picture."
    LEAKED = "leaked", "The face or its person is also in the dataset that was held out."
    POSE_UNSURE = "pose_unsure", "The head pose is too uncertain to be judged."
    POSE_NOT_MEASURED = "pose_not_measured", "The head pose was not measured, so it could not be judged."
    NOT_MEASURED = "not_measured", "A number that a rule asks for was not measured."
    BY_HAND = BY_HAND, "A person rejected the face by hand."

    @classmethod
    def _missing_(cls, value: object) -> Reason | None:
        """The reason for a code of earlier versions, which policy files and datasets may still contain."""
        code = FORMER_REASONS.get(value) if isinstance(value, str) else None
        return next((reason for reason in cls if reason == code), None)


# The reason of a rule on each measure, unless the rule names another one.
REASON_OF = {
    "confidence": Reason.LOW_CONFIDENCE,
    "blur": Reason.BLURRED,
    "sharpness": Reason.NOT_SHARP,
    "sharpness_native": Reason.NOT_SHARP,
    "yaw": Reason.TURNED,
    "pitch": Reason.PITCHED,
    "roll": Reason.TILTED,
    "under_exposure_prevention": Reason.UNDER_EXPOSED,
    "under_exposure_prevention_native": Reason.UNDER_EXPOSED,
    "over_exposure_prevention": Reason.OVER_EXPOSED,
    "over_exposure_prevention_native": Reason.OVER_EXPOSED,
    "dynamic_range": Reason.FLAT,
    "dynamic_range_native": Reason.FLAT,
    "illumination_uniformity": Reason.UNEVEN_LIGHT,
    "illumination_uniformity_native": Reason.UNEVEN_LIGHT,
    "luminance_mean": Reason.BAD_LIGHT,
    "luminance_mean_native": Reason.BAD_LIGHT,
    "luminance_variance": Reason.BAD_LIGHT,
    "luminance_variance_native": Reason.BAD_LIGHT,
    "inter_eye_distance": Reason.TOO_SMALL,
    "inter_eye_distance_score": Reason.TOO_SMALL,
    "face_size": Reason.TOO_SMALL,
    "outside": Reason.CUT_OFF,
    "upsampling": Reason.ENLARGED,
    "blockiness": Reason.COMPRESSED,
    "prominence": Reason.NOT_PROMINENT,
    "fitness": Reason.NOT_FIT,
    "pose_spread": Reason.POSE_UNSURE,
    "faces_in_picture": Reason.CROWDED,
    "rank_in_picture": Reason.NOT_THE_MAIN_FACE,
    "track_length": Reason.SHORT_TRACK,
    "rank_in_track": Reason.NOT_A_BEST_SHOT,
    "label_distance": Reason.OTHER_PERSON,
    "label_margin": Reason.OTHER_PERSON,
    "twin_distance": Reason.NEAR_DUPLICATE,
    "rank_among_duplicates": Reason.NEAR_DUPLICATE,
    "held_out_distance": Reason.LEAKED,
}

# Measures that need the pose. Where one of them was not measured, the reason is `pose_not_measured`.
NEEDS_POSE = frozenset({*ANGLES, "inter_eye_distance_score", "pose_spread"})

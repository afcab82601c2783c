"""The answer to one picture: records to JSON. Runs in a worker, because pixels and base64 cost time."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydantic_core import to_json

from facesieve.draw.cut import cut
from facesieve.draw.encode import jpeg
from facesieve.draw.fast_png import fast_png
from facesieve.draw.mark import mark
from facesieve.records import ANGLES, POINTS, Face, Photo, Pixels
from facesieve.settings import Settings
from facesieve.sieve import Policy, Reason
from facesieve.sieve.reasons import NEEDS_POSE

ID_DIGITS = 32


@dataclass(frozen=True, slots=True)
class AnswerOptions:
    """What the answer to one picture contains.

    form: `reference` (`/upload`) or `modern` (`/v1/faces`). clip_policy: for clips; None refuses them.
    """

    form: str
    policy: Policy
    crops: str = "none"
    marked: bool = False
    pose: bool = True
    clip_policy: Policy | None = None


def without_pose(policy: Policy) -> Policy:
    """The policy without the rules that need the pose, for pictures whose pose is not measured."""
    return policy.model_copy(update={"rules": tuple(rule for rule in policy.rules if rule.measure not in NEEDS_POSE)})


def encoded(value: Any) -> bytes:
    """A value as JSON bytes. Every answer is encoded here."""
    return to_json(value, inf_nan_mode="null")


def reference(photo: Photo, faces: Sequence[Face], settings: Settings) -> dict[str, Any]:
    """The answer in the reference's form, with all names that it documents or sends, and every rejected face."""
    kept = [face for face in faces if face.verdict.kept]
    rejected = [face for face in faces if not face.verdict.kept]
    return {
        "image_id": photo.picture_id[:ID_DIGITS],
        "face_total": len(faces),
        "face_total_resp": len(faces),
        "face_efficient_total_resp": len(kept),
        **_neglect_counts(rejected),
        "resp": [_reference_face(photo, face, settings) for face in kept],
        "rejected": [_rejected_face(face) for face in rejected],
        "mark_image_face_b64": _b64(jpeg(mark(photo.pixels, faces), settings.jpeg_quality)),
    }


def modern(
    photo: Photo, faces: Sequence[Face], options: AnswerOptions, settings: Settings, timings: Mapping[str, float]
) -> Any:
    """The answer of `/v1/faces`: every face with its measures and verdict, crops as the options say."""
    kept = sum(face.verdict.kept for face in faces)
    answer = {
        "picture_id": photo.picture_id,
        "width": photo.width,
        "height": photo.height,
        "format": photo.format,
        "turn": photo.turn,
        "policy": options.policy.name,
        "faces_total": len(faces),
        "faces_kept": kept,
        "faces": [face_json(photo, face, options.crops, settings) for face in faces],
        "timings": {name: round(value, 3) for name, value in timings.items()},
    }
    if options.marked:
        answer["marked"] = _b64(jpeg(mark(photo.pixels, faces), settings.jpeg_quality))
    return answer


def numbers(measures: Mapping[str, float]) -> dict[str, float | None]:
    """Measures for JSON: null where a measure is NaN."""
    return {name: None if math.isnan(value) else value for name, value in measures.items()}


def _neglect_counts(rejected: Sequence[Face]) -> dict[str, int]:
    """How many faces failed each of the reference's checks. A face counts once, for the first check that it failed."""
    counts = dict.fromkeys(("confidence", "blur", "hopenet", "other"), 0)
    for face in rejected:
        counts[_first_check(face.verdict.reasons)] += 1
    return {f"face_{check}_neglect_total_resp": count for check, count in counts.items()}


def _first_check(reasons: Sequence[str]) -> str:
    pose = {Reason.PITCHED, Reason.TURNED, Reason.TILTED, Reason.POSE_NOT_MEASURED}
    if Reason.LOW_CONFIDENCE in reasons:
        return "confidence"
    if Reason.BLURRED in reasons:
        return "blur"
    return "hopenet" if pose & set(reasons) else "other"


def _reference_face(photo: Photo, face: Face, settings: Settings) -> dict[str, Any]:
    measures = numbers(face.measures)
    return {
        "face_id": face.face_id,
        "face_blur": measures["blur"],
        "face_pose": {angle: measures[angle] for angle in ANGLES},
        "face_confidence": face.confidence,
        "face_coordinate": _whole(face.box),
        "facie5points": _points(face),
        "face_native_image_b64": _b64(jpeg(cut(photo.pixels, face.box), settings.jpeg_quality)),
        "face_native_images_b64": _b64(fast_png(cut(photo.pixels, face.box, settings.head_margin))),
        "face_align_images_b64": _b64(fast_png(face.crop)),
    }


def _rejected_face(face: Face) -> dict[str, Any]:
    return {
        "face_id": face.face_id,
        "face_confidence": face.confidence,
        "face_coordinate": _whole(face.box),
        "facie5points": _points(face),
        "reasons": list(face.verdict.reasons),
        "measures": numbers(face.measures),
    }


def face_json(photo: Photo, face: Face, crops: str, settings: Settings) -> dict[str, Any]:
    """A face in the answer of `/v1/faces`. photo: the picture, or any frame of the clip unless `crops` is `all`."""
    return {
        "face_id": face.face_id,
        "box": dict(zip("xywh", face.box, strict=True)),
        "landmarks": {name: face.landmarks[row].tolist() for row, name in enumerate(POINTS)},
        "confidence": face.confidence,
        "kept": face.verdict.kept,
        "reasons": list(face.verdict.reasons),
        "measures": numbers(face.measures),
        **_crops(photo.pixels, face, crops, settings),
    }


def _crops(pixels: Pixels, face: Face, crops: str, settings: Settings) -> dict[str, Any]:
    if crops == "none":
        return {}
    cuts = {"aligned": _b64(fast_png(face.crop))}
    if crops == "all":
        cuts["face"] = _b64(jpeg(cut(pixels, face.box), settings.jpeg_quality))
        cuts["head"] = _b64(fast_png(cut(pixels, face.box, settings.head_margin)))
    return {"crops": cuts}


def _points(face: Face) -> dict[str, list[int]]:
    return {name: _whole(face.landmarks[row]) for row, name in enumerate(POINTS)}


def _whole(values: Sequence[float] | np.ndarray[Any, Any]) -> list[int]:
    """Whole pixels, rounded half to even."""
    return [int(value) for value in np.rint(values)]


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")

"""Clips in requests: which options they have, and the answer. Runs in a worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facesieve.records import Face, Record
from facesieve.service.answers import AnswerOptions, face_json
from facesieve.service.api_errors import ApiError, ErrorCode
from facesieve.settings import Settings


def check_clip_options(options: AnswerOptions) -> None:
    """Raise ApiError `bad_option` for an option that needs the frames, which are gone when the clip ends."""
    asked = {"crops": options.crops == "all", "marked": options.marked, "pose": not options.pose}
    for name, wanted in asked.items():
        if wanted:
            message = "A clip can have crops=none or crops=aligned, no marked picture, and its pose is always measured."
            raise ApiError(ErrorCode.BAD_OPTION, message, {"option": name})


def clip_answer(
    record: Record, options: AnswerOptions, settings: Settings, timings: Mapping[str, float]
) -> dict[str, Any]:
    """The answer to a clip: what was read of it, and its kept faces in the order of their frames.

    record: of `Pipeline.track`.
    """
    photo = record.photo
    assert photo is not None and photo.clip is not None and options.clip_policy is not None
    clip = photo.clip
    return {
        "picture_id": photo.picture_id,
        "width": photo.width,
        "height": photo.height,
        "format": photo.format,
        "frames": clip.frames,
        "duration": clip.duration,
        "fps": clip.fps,
        "codec": clip.codec,
        "truncated": clip.truncated or None,
        "policy": options.clip_policy.name,
        "tracks": len({face.track for face in record.faces}),
        "faces_total": len(record.faces),
        "faces_kept": len(record.kept),
        "faces": [_face(record, face, options, settings) for face in record.kept],
        "timings": {name: round(value, 3) for name, value in timings.items()},
    }


def _face(record: Record, face: Face, options: AnswerOptions, settings: Settings) -> dict[str, Any]:
    assert record.photo is not None
    in_clip = {"frame": face.frame, "time": face.time, "track": face.track}
    return in_clip | face_json(record.photo, face, options.crops, settings)

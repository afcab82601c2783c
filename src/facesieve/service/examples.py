"""An example of each route: a command, and what the service answers. Long values are shortened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_PNG, _JPEG = "iVBORw0KGgo=", "/9j/4AA="  # base64 of the first bytes of a file
_FACE_ID = "023d100b6158b176e3ae1277ee1fd8bb"
_PICTURE_ID = "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"


@dataclass(frozen=True, slots=True)
class Example:
    """command: for a shell, with HOST and TOKEN to be replaced. answer: as JSON values; None if it is no JSON."""

    command: str
    answer: Any = None


def _get(path: str, answer: Any = None) -> Example:
    return Example(f"curl http://HOST{path}", answer)


def _post(path: str, sent: str, answer: Any) -> Example:
    return Example(f"curl -H 'Authorization: TOKEN' {sent} 'http://HOST{path}'", answer)


_MEASURES = {
    "confidence": 0.999995,
    "pitch": -5.79,
    "yaw": 0.33,
    "roll": 2.99,
    "blur": 560.65,
    "sharpness": 100.0,
    "inter_eye_distance": 42.57,
    "fitness": 82.86,
}

_REFERENCE_ANSWER = {
    "image_id": _PICTURE_ID[:32],
    "face_total": 1,
    "face_total_resp": 1,
    "face_efficient_total_resp": 1,
    "face_confidence_neglect_total_resp": 0,
    "face_blur_neglect_total_resp": 0,
    "face_hopenet_neglect_total_resp": 0,
    "face_other_neglect_total_resp": 0,
    "resp": [
        {
            "face_id": _FACE_ID,
            "face_blur": 560.65,
            "face_pose": {"pitch": -5.79, "yaw": 0.33, "roll": 2.99},
            "face_confidence": 0.999995,
            "face_coordinate": [180, 60, 88, 114],
            "facie5points": {
                "left_eye": [204, 101],
                "right_eye": [246, 103],
                "nose": [224, 129],
                "mouth_left": [202, 140],
                "mouth_right": [245, 142],
            },
            "face_native_image_b64": _JPEG,
            "face_native_images_b64": _PNG,
            "face_align_images_b64": _PNG,
        }
    ],
    "rejected": [],
    "mark_image_face_b64": _JPEG,
}

_MODERN_ANSWER = {
    "picture_id": _PICTURE_ID,
    "width": 512,
    "height": 512,
    "format": "png",
    "turn": 0,
    "policy": "reference, adjusted",
    "faces_total": 1,
    "faces_kept": 1,
    "faces": [
        {
            "face_id": _FACE_ID,
            "box": {"x": 179.8, "y": 60.12, "w": 88.29, "h": 113.77},
            "landmarks": {
                "left_eye": [203.86, 101.3],
                "right_eye": [246.39, 103.18],
                "nose": [224.27, 128.9],
                "mouth_left": [201.82, 139.77],
                "mouth_right": [244.91, 141.99],
            },
            "confidence": 0.999995,
            "kept": True,
            "reasons": [],
            "measures": _MEASURES,
            "crops": {"aligned": _PNG},
        }
    ],
    "timings": {"pipeline_ms": 140.126},
}

_SIEVE_ANSWER = {
    "policy": {
        "name": "reference, adjusted",
        "sentence": "",
        "rules": [
            {"measure": "confidence", "low": 0.995, "high": None, "reason": "low_confidence"},
            {"measure": "blur", "low": 50.0, "high": None, "reason": "blurred"},
            {"measure": "yaw", "low": -45.0, "high": 45.0, "reason": "turned"},
            {"measure": "pitch", "low": -20.0, "high": 20.0, "reason": "pitched"},
            {"measure": "roll", "low": -25.0, "high": 25.0, "reason": "tilted"},
        ],
    },
    "total": 1,
    "kept": 0,
    "verdicts": [{"kept": False, "reasons": ["turned"]}],
}

_REFUSED = {"error": {"code": "not_an_image", "message": "This file is not a picture.", "details": {}}}
_SIEVE_BODY = (
    '{"measures": [{"confidence": 0.999, "blur": 80, "pitch": 2, "yaw": 50, "roll": 0}], "limits": {"min_blur": 50}}'
)

EXAMPLES = {
    "/v1/faces": _post("/v1/faces?max_yaw=30&crops=aligned", "--data-binary @photo.jpg", _MODERN_ANSWER),
    "/upload": _post("/upload", "-F image=@photo.jpg", _REFERENCE_ANSWER),
    "/uploads": _post("/uploads", "-F image=@photo.jpg -F image=@notes.txt", [_REFERENCE_ANSWER, _REFUSED]),
    "/v1/sieve": _post("/v1/sieve", f"--json '{_SIEVE_BODY}'", _SIEVE_ANSWER),
    "/livez": _get("/livez", {"status": "live"}),
    "/readyz": _get("/readyz", {"status": "ready"}),
    "/metrics": Example("curl -H 'Authorization: TOKEN' http://HOST/metrics"),
    "/openapi.json": _get("/openapi.json"),
    "/docs": _get("/docs"),
    "/": _get("/"),
}

"""The JSON schemas of requests and answers, for the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from facesieve.quality import OF_ONE_PICTURE

MAX_ROWS = 10_000  # most faces in one request to /v1/sieve
MAX_LIMITS = 100

Name = Annotated[str, Field(pattern=f"^({'|'.join(measure.name for measure in OF_ONE_PICTURE)})$")]
Id = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
Count = Annotated[int, Field(ge=0)]
Base64 = Annotated[str, Field(json_schema_extra={"contentEncoding": "base64"})]
Numbers = dict[str, float | None]
Point = Annotated[list[int], Field(min_length=2, max_length=2, description="x, y in pixels.")]
ExactPoint = Annotated[list[float], Field(min_length=2, max_length=2, description="x, y in pixels.")]
Box = Annotated[list[int], Field(min_length=4, max_length=4, description="x, y, w, h in pixels.")]


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ErrorBody(Shape):
    code: str
    message: str
    details: dict[str, Any]


class Error(Shape):
    error: ErrorBody
    request_id: str


class BadImage(Shape):
    error: ErrorBody


class Pose(Shape):
    """Degrees. Yaw is positive if the head is turned to the viewer's right. Null means not measured."""

    pitch: float | None
    yaw: float | None
    roll: float | None


class FivePoints(Shape):
    """Named from the viewer's side."""

    left_eye: Point
    right_eye: Point
    nose: Point
    mouth_left: Point
    mouth_right: Point


class ReferenceFace(Shape):
    face_id: Id
    face_blur: float
    face_pose: Pose
    face_confidence: float
    face_coordinate: Box
    facie5points: FivePoints
    face_native_image_b64: Annotated[Base64, Field(description="The face as JPEG.")]
    face_native_images_b64: Annotated[Base64, Field(description="The head with a margin as PNG.")]
    face_align_images_b64: Annotated[Base64, Field(description="The aligned crop, 112 x 112, as PNG.")]


class RejectedFace(Shape):
    face_id: Id
    face_confidence: float
    face_coordinate: Box
    facie5points: FivePoints
    reasons: list[str]
    measures: Numbers


class ReferenceAnswer(Shape):
    image_id: Id
    face_total: Count
    face_total_resp: Annotated[Count, Field(description="The same as face_total.")]
    face_efficient_total_resp: Annotated[Count, Field(description="Faces that are kept.")]
    face_confidence_neglect_total_resp: Count
    face_blur_neglect_total_resp: Count
    face_hopenet_neglect_total_resp: Count
    face_other_neglect_total_resp: Count
    resp: Annotated[list[ReferenceFace], Field(description="The kept faces.")]
    rejected: Annotated[list[RejectedFace], Field(description="The other faces, with all reasons.")]
    mark_image_face_b64: Annotated[Base64, Field(description="The picture with boxes and numbers as JPEG.")]


class XYWH(Shape):
    x: float
    y: float
    w: float
    h: float


class Landmarks(Shape):
    left_eye: ExactPoint
    right_eye: ExactPoint
    nose: ExactPoint
    mouth_left: ExactPoint
    mouth_right: ExactPoint


class Crops(Shape):
    aligned: Base64
    face: Base64 | None = None
    head: Base64 | None = None


class ModernFace(Shape):
    face_id: Id
    box: XYWH
    landmarks: Landmarks
    confidence: float
    kept: bool
    reasons: list[str]
    measures: Numbers
    crops: Crops | None = None


class ModernAnswer(Shape):
    picture_id: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    width: Count
    height: Count
    format: str
    turn: Annotated[int, Field(description="Degrees clockwise by which the picture was turned to find upright faces.")]
    policy: str
    faces_total: Count
    faces_kept: Count
    faces: list[ModernFace]
    timings: dict[str, float]
    marked: Base64 | None = None


class ClipFace(ModernFace):
    frame: Count
    time: Annotated[float, Field(description="Seconds.")]
    track: Count


class ClipAnswer(Shape):
    """The kept faces of a clip, in the order of its frames."""

    picture_id: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    width: Count
    height: Count
    format: str
    frames: Annotated[int, Field(ge=1, description="Frames that were searched.")]
    duration: Annotated[float, Field(description="Seconds up to the end of the last frame that was read.")]
    fps: Annotated[float | None, Field(description="Frames per second, as the file says.")]
    codec: str
    truncated: Annotated[str | None, Field(description="Why not all of the clip was read.")]
    policy: str
    tracks: Count
    faces_total: Annotated[int, Field(ge=0, description="Faces in all frames that were searched.")]
    faces_kept: Count
    faces: list[ClipFace]
    timings: dict[str, float]


class SieveRequest(Shape):
    measures: Annotated[
        list[dict[Name, float | None]],
        Field(max_length=MAX_ROWS, description="One object per face; null means not measured."),
    ]
    policy: str | None = None
    limits: Annotated[
        dict[str, float | None],
        Field(max_length=MAX_LIMITS, description="Limits to change, such as max_yaw; null removes a limit."),
    ] = Field(default_factory=dict)


class PictureInJson(Shape):
    """A picture as JSON, with exactly one of the keys, once."""

    image_base64: Annotated[Base64 | None, Field(description="The picture in base64, or a data URL.")] = None
    image: Annotated[str | None, Field(description="Another name for image_base64.")] = None
    url: Annotated[
        str | None,
        Field(
            description="The https or http URL of the picture, where the setting accept_urls is on.", max_length=8192
        ),
    ] = None


class VerdictShape(Shape):
    kept: bool
    reasons: list[str]


class RuleShape(Shape):
    measure: str
    low: float | None
    high: float | None
    reason: str


class PolicyShape(Shape):
    name: str
    sentence: str
    rules: list[RuleShape]


class SieveAnswer(Shape):
    policy: PolicyShape
    total: Count
    kept: Count
    verdicts: list[VerdictShape]


class Health(Shape):
    status: str

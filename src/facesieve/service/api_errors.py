"""Every way a request can be refused: a closed list of codes, each with its status and one public sentence."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

from facesieve.codes import Code
from facesieve.records import RefusalCode

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class ErrorCode(Code):
    """The codes of the service. A picture that is refused has the code of its `RefusalCode` instead."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        return int(self.details[0])

    BAD_REQUEST = "bad_request", 400, "The request is malformed."
    BAD_OPTION = "bad_option", 400, "An option of the request is unknown or out of range."
    BAD_MULTIPART = (
        "bad_multipart",
        400,
        "The body is not multipart/form-data; send a form with a file in the field image.",
    )
    NO_IMAGE = "no_image", 400, "The form has no file in a field named image."
    ONE_IMAGE = "one_image", 400, "This route accepts one image; send several to /uploads."
    TOO_MANY_IMAGES = "too_many_images", 413, "The form has more images than max_images allows."
    BAD_JSON = "bad_json", 400, "The body is not JSON of the form that /docs describes."
    BAD_BASE64 = "bad_base64", 400, "The picture was sent as text, but the text is not base64."
    BAD_ENCODING = "bad_encoding", 400, "The body does not match its Content-Encoding, or it ends too early."
    UNAUTHORIZED = (
        "unauthorized",
        401,
        "The request has no token; send Authorization: Bearer TOKEN, or X-API-Key: TOKEN.",
    )
    FORBIDDEN = "forbidden", 403, "The token is not accepted."
    NOT_FOUND = "not_found", 404, "There is no such route."
    METHOD_NOT_ALLOWED = "method_not_allowed", 405, "The route does not accept this method; see the header Allow."
    BODY_TIMEOUT = "body_timeout", 408, "The body did not arrive before the deadline."
    REQUEST_TOO_LARGE = "request_too_large", 413, "The body is larger than this route accepts."
    UNSUPPORTED_ENCODING = (
        "unsupported_encoding",
        415,
        "This Content-Encoding is not supported; send the body uncompressed, or as gzip or deflate.",
    )
    UNSUPPORTED_BODY = (
        "unsupported_body",
        415,
        "This kind of body is not supported; send a picture's bytes, multipart/form-data, base64 text or JSON.",
    )
    URLS_NOT_ACCEPTED = (
        "urls_not_accepted",
        415,
        "This service does not fetch URLs; send the picture itself, or turn on the setting accept_urls.",
    )
    HEADERS_TOO_LARGE = "headers_too_large", 431, "The headers of the request are too large or too many."
    BUSY = "busy", 429, "All workers are busy and the queue is full; try again after Retry-After seconds."
    INTERNAL = "internal", 500, "The service failed; its log has the reason under the request id."
    TOO_MANY_CONNECTIONS = (
        "too_many_connections",
        503,
        "The service has as many open connections as it can have, and all are in use; try again later.",
    )
    DEADLINE = "deadline", 503, "The answer was not ready before the deadline."
    WORKER_DIED = "worker_died", 503, "The worker process died while it processed this request; another one is started."
    NOT_READY = (
        "not_ready",
        503,
        "No worker is ready: the service is starting or stopping, or workers fail to start.",
    )


_OURS = {code.value: code for code in ErrorCode}
_REFUSALS = {code.value: code for code in RefusalCode}
_PICTURE_STATUS = {
    RefusalCode.EMPTY: 400,
    RefusalCode.TOO_MANY_BYTES: 413,
    RefusalCode.TOO_MANY_PIXELS: 413,
    RefusalCode.TOO_LONG_SIDE: 413,
    RefusalCode.TOO_MANY_SCANS: 413,
    RefusalCode.TOO_LONG: 413,
    RefusalCode.NOT_AN_IMAGE: 415,
    RefusalCode.PLAYLIST: 415,
    RefusalCode.UNSUPPORTED_FORMAT: 415,
    RefusalCode.RAW: 415,
    RefusalCode.OUT_OF_MEMORY: 503,
    RefusalCode.BAD_URL: 400,
}
_OF_PICTURES = (
    *_PICTURE_STATUS,
    RefusalCode.TRUNCATED,
    RefusalCode.CORRUPT,
    RefusalCode.UNREADABLE,
    RefusalCode.NO_VIDEO,
    RefusalCode.FORBIDDEN_ADDRESS,
    RefusalCode.FETCH_FAILED,
    RefusalCode.FETCH_TIMEOUT,
    RefusalCode.TOO_MANY_REDIRECTS,
    RefusalCode.DISALLOWED_BY_ROBOTS_HEADER,
)


class ApiError(Exception):
    """Ends a request with an error answer. `message` is public; `headers` are added to the answer."""

    def __init__(
        self,
        code: ErrorCode,
        message: str = "",
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code.value)
        self.code = code.value
        self.status = code.status
        self.message = message or code.sentence
        self.details = dict(details or {})
        self.headers = dict(headers or {})

    def as_json(self) -> dict[str, Any]:
        """The `error` object of the answer."""
        return {"code": self.code, "message": self.message, "details": self.details}


def error_of(code: str, message: str = "", details: Mapping[str, Any] | None = None) -> ApiError:
    """The ApiError for a code that a worker or a decoder returned.

    code: of `ErrorCode`, or of `RefusalCode` for a picture without pixels. The status is 422 if only a decoder or
    the host of a URL could tell the reason.
    """
    if code in _OURS:
        return ApiError(_OURS[code], message, details)
    refusal = _REFUSALS[code]
    error = ApiError(ErrorCode.BAD_REQUEST, message or refusal.sentence, details)
    error.code, error.status = refusal.value, _PICTURE_STATUS.get(refusal, 422)
    return error


def request_id_of(headers: Mapping[str, str]) -> str:
    """The request id that the client sent if it is well-formed, otherwise a new one."""
    sent = headers.get("X-Request-ID", "")
    return sent if _REQUEST_ID.fullmatch(sent) else uuid.uuid4().hex


def codes() -> dict[str, tuple[int, str]]:
    """Every code that an answer may carry, with its status and sentence."""
    ours = {error.value: (error.status, error.sentence) for error in ErrorCode}
    pictures = {code.value: (_PICTURE_STATUS.get(code, 422), code.sentence) for code in _OF_PICTURES}
    return ours | pictures

"""An error as JSON, and as a complete HTTP answer where no handler builds one."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from facesieve.service.answers import encoded
from facesieve.service.api_errors import ApiError


def error_json(error: ApiError, request_id: str) -> bytes:
    """The body: `{"error": {"code", "message", "details"}, "request_id"}`."""
    return encoded({"error": error.as_json(), "request_id": request_id})


def error_response(error: ApiError, request_id: str) -> bytes:
    """Status line, headers and body of an answer. The connection is closed after it."""
    body = error_json(error, request_id)
    headers: Mapping[str, object] = {
        "Content-Type": "application/json; charset=utf-8",
        "Content-Length": len(body),
        "X-Request-ID": request_id,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
        **error.headers,
        "Connection": "close",
    }
    lines = [f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body

"""The pictures of a multipart/form-data body (RFC 7578)."""

from __future__ import annotations

from collections.abc import Mapping
from email.message import Message

from tornado.httputil import HTTPFile, HTTPInputError, ParseMultipartConfig, parse_multipart_form_data

from facesieve.service.faults import Fault, FaultCode

FIELD = "image"
OVERHEAD = 1 << 16  # bytes that a form may have besides its pictures


def is_form(headers: Mapping[str, str]) -> bool:
    """Whether a body is said to be multipart/form-data."""
    return _content_type(headers).get_content_type() == "multipart/form-data"


def images(headers: Mapping[str, str], body: bytes, at_most: int) -> list[bytes]:
    """The contents of all files in fields named `image`, in order.

    Raises Fault `bad_multipart`, `no_image`, `too_many_images`.
    """
    files: dict[str, list[HTTPFile]] = {}
    # Clients send other fields too; so many that parsing would take long are refused by Tornado.
    config = ParseMultipartConfig(max_parts=at_most + 100)
    try:
        parse_multipart_form_data(_boundary(headers), body, {}, files, config=config)
    except HTTPInputError as error:
        code = FaultCode.TOO_MANY_IMAGES if "too many parts" in str(error) else FaultCode.BAD_MULTIPART
        raise Fault(code) from None
    found = [file.body for file in files.get(FIELD, [])]
    if not found:
        raise Fault(FaultCode.NO_IMAGE)
    if len(found) > at_most:
        raise Fault(FaultCode.TOO_MANY_IMAGES, details={"images": len(found), "max_images": at_most})
    return found


def _boundary(headers: Mapping[str, str]) -> bytes:
    boundary = _content_type(headers).get_param("boundary")
    if not is_form(headers) or not isinstance(boundary, str) or not boundary:
        raise Fault(FaultCode.BAD_MULTIPART)
    return boundary.encode("utf-8", "surrogateescape")


def _content_type(headers: Mapping[str, str]) -> Message:
    message = Message()
    message["Content-Type"] = headers.get("Content-Type", "")
    return message

"""What the bytes of a request mean: its request line, its headers, the length of its body, the sizes of its chunks."""

from __future__ import annotations

import re

from tornado.httputil import HTTPHeaders, HTTPInputError, RequestStartLine, parse_request_start_line

from facesieve.service.api_errors import ApiError, ErrorCode

_HEADER_LINES = 100
_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]*)?")
_ORIGIN = re.compile(r"https?://[^/?#]*", re.IGNORECASE)


def parsed_head(head: bytes) -> tuple[RequestStartLine, HTTPHeaders]:
    """The request line and the headers. Raises ApiError `bad_request`, `headers_too_large`."""
    lines = [line.removesuffix("\r") for line in head.decode("latin-1").split("\n")]
    if len(lines) > _HEADER_LINES + 3:  # the request line, and two empty lines at the end
        raise ApiError(ErrorCode.HEADERS_TOO_LARGE, details={"max_headers": _HEADER_LINES})
    try:
        start = parse_request_start_line(lines[0])
    except HTTPInputError:
        raise ApiError(ErrorCode.BAD_REQUEST, "The request line is not METHOD PATH HTTP/1.1.") from None
    try:
        if any(line.startswith((" ", "\t")) for line in lines[1:]):
            raise HTTPInputError  # older versions of Tornado join it to the line before
        headers = HTTPHeaders.parse("\r\n".join(lines[1:]))
    except HTTPInputError:
        raise ApiError(ErrorCode.BAD_REQUEST, "A header is not NAME: VALUE on one line.") from None
    if origin := _ORIGIN.match(start.path):  # the absolute form, in which clients send requests to proxies
        start = start._replace(path=start.path[origin.end() :] or "/")
    return start, headers


def body_length(start: RequestStartLine, headers: HTTPHeaders) -> int | None:
    """Bytes of the body; None if it is chunked. Raises ApiError `bad_request`."""
    if "Transfer-Encoding" in headers:
        if headers["Transfer-Encoding"].lower() != "chunked" or start.version == "HTTP/1.0":
            raise ApiError(ErrorCode.BAD_REQUEST, "The only supported Transfer-Encoding is chunked, with HTTP/1.1.")
        if "Content-Length" in headers:
            raise ApiError(ErrorCode.BAD_REQUEST, "Send either Content-Length or Transfer-Encoding, not both.")
        return None
    if "Content-Length" not in headers:
        return 0
    [length, *others] = {value.strip(" \t") for value in headers["Content-Length"].split(",")}
    if others or not _LENGTH.fullmatch(length):
        raise ApiError(ErrorCode.BAD_REQUEST, "Content-Length is not a single number of at most 18 digits.")
    headers["Content-Length"] = str(int(length))
    return int(length)


def chunk_size(line: bytes) -> int:
    """Bytes of a chunk, from the line before it. Raises ApiError `bad_request`."""
    found = _CHUNK_SIZE.fullmatch(line)
    if not found:
        raise ApiError(ErrorCode.BAD_REQUEST, "A chunk of the body does not begin with its size.")
    return int(found[1], 16)

"""Pictures that are sent as text: base64, data URLs, and JSON that holds one of them, or the URL of a picture.

Texts have up to 14 MB, so everything that reads a whole text does so in steps.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

from pydantic_core import from_json

from facesieve.decode.containers import is_clip
from facesieve.decode.formats import sniff
from facesieve.errors import Refused
from facesieve.service.api_errors import ApiError, ErrorCode
from facesieve.service.time_slices import TimeSlices

KEYS = ("image_base64", "image")
URL_KEY = "url"
_STEP = 1 << 17  # characters that are decoded at once
_SLACK = 1 << 16  # JSON and the head of a data URL around the base64; most white space before and after it
_SMALL_JSON = 1 << 16  # JSON of another form is parsed up to this size, to say what is wrong with it
_BEGIN = 300  # characters that show what kind of text it is; the head of a data URL is shorter
_ESCAPE = 6  # characters of the longest escape in a JSON string: \u002f
_SPACE = b" \t\r\n"
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_BOM = b"\xef\xbb\xbf"
_ADDRESS = re.compile(rb"[a-z][a-z0-9+.-]{0,20}://", re.IGNORECASE)
_DATA = re.compile(rb"data:", re.IGNORECASE)
_DATA_URL = re.compile(rb"data:[^,]{0,200}?(;base64)?,", re.IGNORECASE)
_TEXT = re.compile(rb"[A-Za-z0-9+/_=\s-]+")
_FIELD = re.compile(rb"[A-Za-z][A-Za-z0-9_]*=.")
_JSON_STRING = re.compile(rb'(\{\s*"(?:%s)"\s*:\s*)?"' % "|".join(KEYS).encode())
_JSON_END = {True: re.compile(rb'"\s*\}\Z'), False: re.compile(rb'"\Z')}
_URL_JSON = re.compile(rb'\{\s*"%s"\s*:\s*("(?:[^"\\]|\\.)*+")\s*\}' % URL_KEY.encode(), re.DOTALL)
_NOT_PLAIN = re.compile(rb'["\\\x00-\x1f\x7f-\xff]')
_KINDS = ("text/", "application/json", "application/base64", "application/x-www-form-urlencoded")


def is_text(content_type: str) -> bool:
    """Whether the Content-Type is one of text. Text is longer than the picture in it."""
    return content_type.strip().lower().startswith(_KINDS)


def text_bytes(size: int) -> int:
    """Bytes of the longest text that holds a picture of `size` bytes: base64 in lines, and the text around it."""
    return size * 4 // 3 + size // 32 + _SLACK


def url_of(body: bytes) -> str | None:
    """The URL in `{"url": "..."}`; None for every other body. Raises ApiError `bad_json` for a malformed string."""
    start, end = _ends(body)
    found = _URL_JSON.fullmatch(body, start, end) if end - start <= _SMALL_JSON else None
    if found is None:
        return None
    try:
        return str(from_json(found[1]))
    except ValueError:
        raise ApiError(ErrorCode.BAD_JSON) from None


async def picture_of(body: bytes, time_slices: TimeSlices, said_to_be_text: bool) -> bytes:
    """The picture in a body: bytes, base64, a data URL, or JSON. Any other body is returned unchanged.

    said_to_be_text: whether the Content-Type is one of text. Only then, text that is not base64 raises `bad_base64`.
    Raises ApiError `bad_json`, `bad_base64`, `no_image`, `unsupported_body`.
    """
    if _is_picture(body):
        return body
    start, end = _ends(body)
    if body[start : start + 1] in (b"{", b'"', b"["):
        return await _in_json(body, start, end, time_slices)
    begins = body[start : min(end, start + _BEGIN)]
    if _FIELD.match(begins) and b"=" in (begins if end - start > _BEGIN else begins.rstrip(b"=")):
        raise ApiError(ErrorCode.UNSUPPORTED_BODY)
    try:
        return await picture_of_field(body, time_slices)
    except ApiError:
        if said_to_be_text or _DATA.match(begins) or _ADDRESS.match(begins):
            raise
        return body


async def picture_of_field(content: bytes, time_slices: TimeSlices) -> bytes:
    """The picture in a text field of a form: base64 or a data URL. Other content is returned unchanged."""
    start, end = _ends(content)
    begins = content[start : min(end, start + _BEGIN)]
    if _is_picture(content) or not (_ADDRESS.match(begins) or _DATA.match(begins) or _TEXT.fullmatch(begins)):
        return content
    return await picture_of_text(content, time_slices)


async def picture_of_text(content: bytes, time_slices: TimeSlices) -> bytes:
    """The picture in base64 or in a data URL. Raises ApiError `bad_base64`."""
    start, end = _ends(content)
    start = _after_head(content[start : min(end, start + _BEGIN)], start)
    return await _decoded((content[at : min(end, at + _STEP)] for at in range(start, end, _STEP)), time_slices)


async def _decoded(pieces: Iterator[bytes], time_slices: TimeSlices) -> bytes:
    """The bytes of base64 in either alphabet, with or without padding and white space. Raises ApiError `bad_base64`."""
    found, rest, more = [], b"", True
    while more:
        async with time_slices:
            piece = next(pieces, b"")
            more = bool(piece)
            rest += piece.translate(_URL_SAFE, _SPACE)
            whole = rest[: len(rest) // 4 * 4] if more else rest
            rest = rest[len(whole) :]
            try:
                found.append(binascii.a2b_base64(whole + b"=" * (-len(whole) % 4), strict_mode=True))
            except binascii.Error:
                raise ApiError(ErrorCode.BAD_BASE64) from None
    async with time_slices:
        return b"".join(found)


async def _in_json(text: bytes, start: int, end: int, time_slices: TimeSlices) -> bytes:
    """The picture in `{"image": "..."}` or in a JSON string. Other JSON raises an ApiError that says what is wrong."""
    begin = _JSON_STRING.match(text, start, end)
    if not begin:
        raise _bad_json(text, start, end)
    tail = max(begin.end(), end - _SLACK)
    last = _JSON_END[begin[1] is not None].search(text, tail, end)
    if not last:
        raise _bad_json(text, start, end)
    pieces = _unescaped(text, begin.end(), last.start(), _bad_json(text, start, end))
    async with time_slices:
        first = next(pieces, b"").lstrip(_SPACE)
    first = first[_after_head(first[:_BEGIN], 0) :]
    return await _decoded(chain([first] if first else [], pieces), time_slices)


def _unescaped(text: bytes, start: int, end: int, error: ApiError) -> Iterator[bytes]:
    """Yield the content of a JSON string in pieces. Raises `error` if it is not a JSON string."""
    while start < end:
        stop = min(end, start + _STEP)
        if stop < end and (escape := text.rfind(b"\\", max(start, stop - _ESCAPE), stop)) > start:
            stop = escape - (text[escape - 1 : escape] == b"\\")  # do not cut an escape in two
        piece, start = text[start:stop], stop
        if _NOT_PLAIN.search(piece):
            try:
                piece = from_json(b'"' + piece + b'"').encode("ascii", "replace")
            except (ValueError, AttributeError):
                raise error from None
        yield piece


def _after_head(begins: bytes, start: int) -> int:
    """Where base64 begins: after the head of a data URL, if there is one. Raises ApiError `bad_base64`."""
    if _ADDRESS.match(begins):
        raise ApiError(ErrorCode.BAD_BASE64, 'This is a URL, not a picture; send it in JSON: {"url": "https://..."}.')
    if not _DATA.match(begins):
        return start
    head = _DATA_URL.match(begins)
    if not head or not head[1]:
        raise ApiError(ErrorCode.BAD_BASE64, "A data URL must begin like data:image/jpeg;base64, followed by base64.")
    return start + head.end()


def _ends(text: bytes) -> tuple[int, int]:
    """Where a text begins and ends without white space. At most `_SLACK` bytes of white space are skipped."""
    head, tail = text[:_SLACK].removeprefix(_BOM), text[-_SLACK:]
    start = min(_SLACK, len(text)) - len(head.lstrip(_SPACE))
    return start, max(start, len(text) - (len(tail) - len(tail.rstrip(_SPACE))))


def _is_picture(body: bytes) -> bool:
    try:
        sniff(body[:64])
    except Refused:
        return is_clip(body)
    return True


def _bad_json(text: bytes, start: int, end: int) -> ApiError:
    """What is wrong with JSON that is not `{"image": "..."}` or a string."""
    keys = ", ".join((*KEYS, URL_KEY))
    one_key = f"The JSON must have exactly one of the keys {keys}, once, with a string; send options in the query."
    if end - start > _SMALL_JSON:
        return ApiError(ErrorCode.BAD_JSON, one_key)
    try:
        sent: Any = from_json(text[start:end])
    except ValueError:
        return ApiError(ErrorCode.BAD_JSON)
    if isinstance(sent, dict):
        if any(key not in (*KEYS, URL_KEY) for key in sent) or len(sent) > 1 or isinstance(sent.get(URL_KEY), str):
            return ApiError(ErrorCode.BAD_JSON, one_key)
        if not sent or None in sent.values():
            return ApiError(ErrorCode.NO_IMAGE, f"The JSON has none of the keys {keys}.")
        if URL_KEY in sent:
            return ApiError(ErrorCode.BAD_JSON, "The url in JSON must be a string.")
    return ApiError(ErrorCode.BAD_JSON, "The picture in JSON must be a string of base64 or a data URL.")

"""Pictures that are sent as text: base64, data URLs, and JSON that holds one of them."""

from __future__ import annotations

import binascii
import re
from typing import Any

from pydantic_core import from_json

from facesieve.decode.formats import sniff
from facesieve.errors import Refused
from facesieve.service.faults import Fault, FaultCode
from facesieve.service.turns import Turns

KEYS = ("image_base64", "image")
_STEP = 1 << 17  # characters that are decoded at once
_SLACK = 1 << 16  # JSON and the head of a data URL around the base64
_SPACE = b" \t\r\n"
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_ADDRESS = re.compile(rb"[a-z][a-z0-9+.-]{0,20}://", re.IGNORECASE)
_DATA = re.compile(rb"data:", re.IGNORECASE)
_DATA_URL = re.compile(rb"data:[^,]{0,200}?(;base64)?,", re.IGNORECASE)
_TEXT = re.compile(rb"[A-Za-z0-9+/_=\s-]+")
_FIELD = re.compile(rb"[A-Za-z][A-Za-z0-9_]*=.")
_KINDS = ("text/", "application/json", "application/base64", "application/x-www-form-urlencoded")

_MOST_COMMAS = 100  # in JSON that holds one picture


def is_text(content_type: str) -> bool:
    """Whether a body is said to be text, which is longer than the picture in it."""
    return content_type.strip().lower().startswith(_KINDS)


def text_bytes(size: int) -> int:
    """Bytes of the longest text that holds a picture of `size` bytes: base64 in lines, and what is around it."""
    return size * 4 // 3 + size // 32 + _SLACK


async def picture_of(body: bytes, turns: Turns, said_to_be_text: bool) -> bytes:
    """The picture in a body: bytes, base64, a data URL, or JSON. A body that is none of these is returned as it is.

    said_to_be_text: whether the Content-Type is one of text; only then is text that is not base64 a fault of its own.
    Raises Fault `bad_json`, `bad_base64`, `no_image`, `unsupported_body`.
    """
    if _is_picture(body):
        return body
    text = body.removeprefix(b"\xef\xbb\xbf").lstrip(_SPACE)
    if text[:1] in (b"{", b'"', b"["):
        async with turns:
            text = _in_json(text)
        return await decoded(text, turns)
    if _FIELD.match(text) and b"=" in text.rstrip(b"=" + _SPACE)[:100]:
        raise Fault(FaultCode.UNSUPPORTED_BODY)
    try:
        return await picture_of_field(text, turns) if text else body
    except Fault:
        if said_to_be_text or _DATA.match(text) or _ADDRESS.match(text):
            raise
        return body


async def picture_of_field(content: bytes, turns: Turns) -> bytes:
    """The picture in a text field of a form: base64 or a data URL; what is neither is returned as it is."""
    text = content.strip(_SPACE)
    if _is_picture(content) or not (_ADDRESS.match(text) or _DATA.match(text) or _TEXT.fullmatch(text[:100])):
        return content
    return await decoded(text, turns)


async def decoded(text: bytes, turns: Turns) -> bytes:
    """The bytes of base64 or a data URL, in either alphabet, with or without padding. Raises Fault `bad_base64`."""
    start = 0
    if _ADDRESS.match(text):
        raise Fault(FaultCode.BAD_BASE64, "Pictures are sent, not fetched: send base64 or a data URL, not an address.")
    if _DATA.match(text):
        head = _DATA_URL.match(text)
        if not head or not head[1]:
            raise Fault(FaultCode.BAD_BASE64, "A data URL begins with data:image/jpeg;base64, and goes on in base64.")
        start = head.end()
    found, rest = [], b""
    for place in range(start, len(text), _STEP):
        async with turns:
            rest += text[place : place + _STEP].translate(_URL_SAFE, _SPACE)
            whole = rest if place + _STEP >= len(text) else rest[: len(rest) // 4 * 4]
            rest = rest[len(whole) :]
            try:
                found.append(binascii.a2b_base64(whole + b"=" * (-len(whole) % 4), strict_mode=True))
            except binascii.Error:
                raise Fault(FaultCode.BAD_BASE64) from None
    async with turns:
        return b"".join(found)


def _is_picture(body: bytes) -> bool:
    try:
        sniff(body[:64])
    except Refused:
        return False
    return True


def _in_json(text: bytes) -> bytes:
    if text.count(b",") > _MOST_COMMAS or text.count(b"[") > _MOST_COMMAS:  # told without parsing megabytes of it
        raise Fault(FaultCode.BAD_JSON)
    try:
        sent: Any = from_json(text)
    except ValueError:
        raise Fault(FaultCode.BAD_JSON) from None
    if isinstance(sent, dict):
        unknown = [key for key in sent if key not in KEYS]
        if unknown:
            message = f"JSON here has the key {' or '.join(KEYS)} and no other; options go into the query."
            raise Fault(FaultCode.BAD_JSON, message)
        sent = next((sent[key] for key in KEYS if key in sent), None)
        if sent is None:
            raise Fault(FaultCode.NO_IMAGE, f"The JSON has no key {' or '.join(KEYS)}.")
    if not isinstance(sent, str):
        raise Fault(FaultCode.BAD_JSON, "The picture in JSON is a string of base64 or a data URL.")
    return sent.strip().encode("ascii", "replace")

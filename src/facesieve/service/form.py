"""The pictures of a multipart/form-data body (RFC 7578), read while it arrives and with limits on every part of it."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from facesieve.service.api_errors import ApiError, ErrorCode
from facesieve.service.body import PictureBytes
from facesieve.service.text import text_bytes

FIELD = b"image"
OVERHEAD = 1 << 16  # bytes that a form may have in addition to its pictures
OTHER_PARTS = 100  # most other fields; clients send some
MAX_HEADER = 1 << 13  # bytes of one header of a part
MAX_HEADERS = 16  # of one part
MAX_OPTIONS = 16  # most options of one header that are read
MAX_BOUNDARY = 200

_BOUNDARY = re.compile(r';[ \t]*boundary[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^;\s"]+))', re.IGNORECASE)
_OPTION = re.compile(rb';[ \t]*([\w*.-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^;"]*))', re.DOTALL)
_AS_IT_IS = (b"", b"7bit", b"8bit", b"binary")


def is_form(headers: Mapping[str, str]) -> bool:
    """Whether the Content-Type says that the body is a form of any kind."""
    return headers.get("Content-Type", "").strip().lower().startswith("multipart/")


class Form:
    """Collects the files and texts of all fields named `image`, in order. Other fields are read and dropped.

    at_most: most pictures. largest: most bytes of a picture; a larger one is cut off just above that size, which is
    enough to refuse it later. Raises ApiError `bad_multipart` if the headers name no boundary.
    """

    step = 1 << 13  # the slowest input of this size takes about one millisecond

    def __init__(self, headers: Mapping[str, str], at_most: int, largest: int) -> None:
        self._at_most = at_most
        self._largest = largest
        self._parts: list[PictureBytes] = []
        self._count = 0
        self._ended = False
        self._error: ApiError | None = None
        self._named = False
        self._name = bytearray()
        self._value = bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._kept: list[bytes] = []
        self._keeps = False
        self._text = False
        self._size = 0
        self._room = 0
        self._held = 0
        self._parser = MultipartParser(
            _boundary(headers),
            {
                "on_part_begin": self._on_part,
                "on_header_field": self._on_name,
                "on_header_value": self._on_value,
                "on_header_end": self._on_header,
                "on_headers_finished": self._on_headers,
                "on_part_data": self._on_data,
                "on_part_end": self._on_end,
                "on_end": self._on_last,
            },
            max_header_count=MAX_HEADERS,
            max_header_size=MAX_HEADER,
        )
        self._parser.logger = logging.Logger("silent", logging.CRITICAL + 1)  # the answer says what is wrong

    def feed(self, piece: bytes) -> int:
        """Raises ApiError `too_many_images`, `one_image`. After a malformed part, the rest of the form is dropped."""
        if self._error is not None:
            return 0
        before = self._held
        try:
            self._parser.write(piece)
        except FormParserError as error:
            self._error = ApiError(ErrorCode.BAD_MULTIPART, _sentence(str(error)))
        except ApiError as error:
            if error.code != ErrorCode.BAD_MULTIPART:
                raise
            self._error = error
        return self._held - before

    def pictures(self) -> list[PictureBytes]:
        """Return the pictures and release them. Raises ApiError `bad_multipart`, `no_image`."""
        if self._error is not None:
            raise self._error
        if not self._ended:
            raise ApiError(ErrorCode.BAD_MULTIPART, "The form ends before its last boundary.")
        if not self._parts:
            raise ApiError(ErrorCode.NO_IMAGE)
        found, self._parts = self._parts, []
        return found

    def clear(self) -> None:
        self._parts.clear()
        self._kept.clear()

    def _on_part(self) -> None:
        self._count += 1
        if self._count > self._at_most + OTHER_PARTS:
            raise ApiError(ErrorCode.TOO_MANY_IMAGES, details={"max_parts": self._at_most + OTHER_PARTS})
        self._headers = {}

    def _on_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        self._headers[bytes(self._name).lower()] = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def _on_headers(self) -> None:
        kind, options = _disposition(self._headers.get(b"content-disposition", b""))
        if kind != b"form-data" or b"name" not in options:
            raise ApiError(
                ErrorCode.BAD_MULTIPART, 'Each part needs the header Content-Disposition: form-data; name="...".'
            )
        encoding = self._headers.get(b"content-transfer-encoding", b"").strip().lower()
        self._keeps = options[b"name"] == FIELD
        if self._keeps and encoding not in (*_AS_IT_IS, b"base64"):
            raise ApiError(ErrorCode.BAD_MULTIPART, "The Content-Transfer-Encoding of a part is binary or base64.")
        self._text = b"filename" not in options or encoding == b"base64"
        self._named = bool(options.get(b"filename"))
        self._size = 0
        self._room = (text_bytes(self._largest) if self._text else self._largest) + 1

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        if not self._keeps:
            return
        self._size += end - start
        taken = data[start : min(end, start + self._room)]
        if taken:
            self._room -= len(taken)
            self._held += len(taken)
            self._kept.append(taken)

    def _on_end(self) -> None:
        # A browser sends an empty part without a name where no file was chosen.
        if self._keeps and (self._size or self._named):
            if len(self._parts) == self._at_most:
                raise self._too_many()
            self._parts.append(PictureBytes(b"".join(self._kept), self._text))
        self._kept.clear()
        self._keeps = False

    def _on_last(self) -> None:
        self._ended = True

    def _too_many(self) -> ApiError:
        if self._at_most == 1:
            return ApiError(ErrorCode.ONE_IMAGE)
        return ApiError(ErrorCode.TOO_MANY_IMAGES, details={"max_images": self._at_most})


def _boundary(headers: Mapping[str, str]) -> bytes:
    kind = headers.get("Content-Type", "")
    if kind.partition(";")[0].strip().lower() != "multipart/form-data":
        raise ApiError(ErrorCode.BAD_MULTIPART)
    found = _BOUNDARY.search(kind)
    boundary = (found[1] or found[2] or "" if found else "").rstrip(" ")
    if not 0 < len(boundary) <= MAX_BOUNDARY:
        raise ApiError(
            ErrorCode.BAD_MULTIPART, f"The Content-Type must have a boundary of 1 to {MAX_BOUNDARY} characters."
        )
    return boundary.encode("latin-1", "replace")


def _disposition(value: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """Kind and options as bytes, because file names come in any encoding.

    >>> _disposition(b'form-data; name="image"; filename="caf\\xe9; name=x.jpg"')
    (b'form-data', {b'name': b'image', b'filename': b'caf\\xe9; name=x.jpg'})
    """
    end = value.find(b";")
    kind = value if end < 0 else value[:end]
    options: dict[bytes, bytes] = {}
    position = end
    while position >= 0 and len(options) < MAX_OPTIONS and (found := _OPTION.match(value, position)):
        name = found[1].lower().partition(b"*")[0]
        options.setdefault(name, found[2] if found[2] is not None else found[3].strip())
        position = found.end()
    return kind.strip().lower(), options


def _sentence(said: str) -> str:
    """A message for the client. The parser's own message is not passed on, because it may quote bytes of the form."""
    if "header" in said and "Maximum" in said:
        return f"A part of the form has more than {MAX_HEADERS} headers, or one of more than {MAX_HEADER} bytes."
    return "The body is not multipart/form-data with this boundary, in which lines end with CR LF."

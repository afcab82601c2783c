"""Reads a stream by heads, lines and pieces, each with a limit."""

from __future__ import annotations

import re

from tornado.iostream import IOStream

from facesieve.service.api_errors import ApiError, ErrorCode

PIECE = 1 << 16  # most bytes that are read at once
_BLANK = 1 << 10  # most bytes of blank lines before a request
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_METHOD_BEGIN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]")


class Reader:
    """Reads heads, lines and pieces from a stream. Anything too long raises an ApiError and leaves the stream open.

    taken: bytes that were returned so far.
    """

    def __init__(self, stream: IOStream) -> None:
        self._stream = stream
        self._buffer = bytearray()
        self.taken = 0

    @property
    def holds(self) -> bool:
        """Whether there are bytes that can be read without waiting."""
        return bool(self._buffer)

    async def head(self, limit: int) -> bytes:
        """A request line and its headers, up to the blank line. Blank lines before them are dropped."""
        seen = blank_bytes = 0
        while True:
            if not seen:
                before = len(self._buffer)
                del self._buffer[: before - len(self._buffer.lstrip(b"\r\n"))]
                blank_bytes += before - len(self._buffer)
            if blank_bytes > _BLANK:
                raise ApiError(ErrorCode.BAD_REQUEST, f"More than {_BLANK} bytes of blank lines precede the request.")
            if self._buffer and not _METHOD_BEGIN.match(self._buffer):
                message = "The request is not HTTP/1.1. For HTTPS, put a proxy that ends TLS in front of this service."
                raise ApiError(ErrorCode.BAD_REQUEST, message)
            blank = _BLANK_LINE.search(self._buffer, max(0, seen - 3))
            if (blank.end() if blank else len(self._buffer)) > limit:
                raise ApiError(ErrorCode.HEADERS_TOO_LARGE, details={"max_bytes": limit})
            if blank:
                return self._take(blank.end())
            seen = len(self._buffer)
            await self._more()

    async def line(self, limit: int) -> bytes:
        """A line without its CRLF."""
        seen = 0
        while (end := self._buffer.find(b"\n", seen, limit)) < 0:
            if len(self._buffer) >= limit:
                raise ApiError(ErrorCode.BAD_REQUEST, f"A line of a chunked body is longer than {limit} bytes.")
            seen = len(self._buffer)
            await self._more()
        line = self._take(end + 1)
        if not line.endswith(b"\r\n"):
            raise ApiError(ErrorCode.BAD_REQUEST, "Lines of a chunked body must end with CR LF.")
        return line[:-2]

    async def some(self, at_most: int) -> bytes:
        """The next bytes, at least one."""
        if self._buffer:
            return self._take(min(at_most, PIECE))
        piece = await self._stream.read_bytes(min(at_most, PIECE), partial=True)
        self.taken += len(piece)
        return piece

    async def _more(self) -> None:
        self._buffer += await self._stream.read_bytes(PIECE, partial=True)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        self.taken += size
        return taken

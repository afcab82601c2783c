"""Unpacks bodies with a Content-Encoding in small steps, so that a limit stops a decompression bomb early."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import Protocol

from facesieve.service.api_errors import ApiError, ErrorCode

ACCEPTED_ENCODINGS = ("gzip", "deflate")
_MEMBERS = 2000  # most members of one gzip body; tools that write many begin one every 64 KiB
_GZIP = 16 + zlib.MAX_WBITS
_NAMES = {"": "", "identity": "", "gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}


class Unpacker(Protocol):
    def feed(self, data: bytes, step: int) -> Iterator[bytes]:
        """Yield `data` unpacked, in pieces of at most `step` bytes. Raises ApiError `bad_encoding`."""

    def finish(self) -> None:
        """Check the end of the body. Raises ApiError `bad_encoding` if something is missing."""


def unpacker(headers: Mapping[str, str]) -> Unpacker:
    """The unpacker for a body with these headers. Raises ApiError `unsupported_encoding`."""
    name = _NAMES.get(headers.get("Content-Encoding", "").strip().lower())
    if name is None:
        raise ApiError(ErrorCode.UNSUPPORTED_ENCODING, headers={"Accept-Encoding": ", ".join(ACCEPTED_ENCODINGS)})
    return _Packed(name) if name else _Plain()


class _Plain:
    def feed(self, data: bytes, step: int) -> Iterator[bytes]:
        if len(data) <= step:
            yield data
        else:
            for start in range(0, len(data), step):
                yield data[start : start + step]

    def finish(self) -> None:
        pass


class _Packed:
    """gzip with one member or several, or deflate, which some clients send without the zlib wrapper."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._stream: zlib._Decompress | None = None
        self._members = 1

    def feed(self, data: bytes, step: int) -> Iterator[bytes]:
        more = False  # whether zlib still has bytes that did not fit into the last piece
        while data or more:
            try:
                stream = self._current(data)
                unpacked = stream.decompress(data, step)
            except zlib.error:
                raise ApiError(ErrorCode.BAD_ENCODING) from None
            data = stream.unused_data if stream.eof else stream.unconsumed_tail
            more = len(unpacked) == step and not stream.eof
            if unpacked:
                yield unpacked

    def finish(self) -> None:
        if self._stream is None or not self._stream.eof:
            raise ApiError(ErrorCode.BAD_ENCODING)

    def _current(self, data: bytes) -> zlib._Decompress:
        """The stream that the next bytes belong to; after the end of a gzip member another may follow."""
        if self._stream is None:
            self._stream = zlib.decompressobj(self._bits(data[0]))
        elif self._stream.eof:
            self._members += 1
            if self._name != "gzip" or self._members > _MEMBERS:
                raise ApiError(ErrorCode.BAD_ENCODING)
            self._stream = zlib.decompressobj(_GZIP)
        return self._stream

    def _bits(self, first: int) -> int:
        if self._name == "gzip":
            return _GZIP
        return zlib.MAX_WBITS if first & 0x0F == zlib.DEFLATED else -zlib.MAX_WBITS

"""Reads the body of a request, with a length or in chunks, as pieces of a useful size."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator

from facesieve.service.api_errors import ApiError, ErrorCode
from facesieve.service.wire_reader import PIECE, Reader
from facesieve.service.wire_syntax import chunk_size

_TURN = 1 << 16  # bytes of a body after which other requests may run
_CHUNK_COST = 1 << 10  # each chunk takes as much time as this many bytes
_CHUNK_LINE = 1 << 12  # longest line that begins a chunk, extensions included
_TRAILERS = 1 << 13  # most bytes of trailers after a chunked body
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n]*")


class BodyReader:
    """Reads the bodies of the requests of one connection. Raises ApiError `bad_request` for a malformed one."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def pieces(self, length: int | None) -> AsyncGenerator[bytes, None]:
        """Yield the body in pieces; small chunks are joined. Other requests may run in between."""
        last_turn, chunks, held = self._reader.taken, 0, bytearray()
        async with contextlib.aclosing(self._fixed(length) if length is not None else self._chunks()) as raw:
            async for piece in raw:
                chunks += 1
                if self._reader.taken - last_turn + chunks * _CHUNK_COST >= _TURN:
                    last_turn, chunks = self._reader.taken, 0
                    await asyncio.sleep(0)
                if self._reader.holds and len(held) + len(piece) < PIECE:
                    held += piece
                    continue
                yield bytes(held) + piece if held else piece
                held.clear()
        if held:
            yield bytes(held)

    async def _fixed(self, length: int) -> AsyncGenerator[bytes, None]:
        while length:
            piece = await self._reader.some(length)
            length -= len(piece)
            yield piece

    async def _chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield the content of the chunks. Chunk extensions and trailers are read and dropped."""
        while left := chunk_size(await self._reader.line(_CHUNK_LINE)):
            while left:
                piece = await self._reader.some(left)
                left -= len(piece)
                yield piece
            if await self._reader.line(_CHUNK_LINE):
                raise ApiError(ErrorCode.BAD_REQUEST, "A chunk of the body is longer than its declared size.")
        trailers = 0
        while line := await self._reader.line(_CHUNK_LINE):
            trailers += len(line)
            if trailers > _TRAILERS or not _TRAILER.fullmatch(line):
                raise ApiError(ErrorCode.BAD_REQUEST, "The trailers of the chunked body are malformed or too large.")

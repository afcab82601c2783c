"""How the bytes of a source are opened: small picklable values that are called when the picture is decoded."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass, field
from io import BufferedReader, BytesIO, RawIOBase
from pathlib import Path
from typing import BinaryIO, cast

from facesieve.errors import Refused
from facesieve.records import RefusalCode
from facesieve.regular_file import NotAFileError, open_regular

LOCAL_HEADER = 30  # bytes before the name, APPNOTE.TXT 4.3.7


def open_file(path: str | Path) -> BinaryIO:
    """A stream of a regular file. It does not block if the file has become a pipe in the meantime.

    Raises Refused `not_a_file`, and OSError.
    """
    try:
        return open_regular(path)
    except NotAFileError as error:
        raise Refused(RefusalCode.NOT_A_FILE, f"{error.strerror}.") from error


@dataclass(frozen=True, slots=True)
class File:
    """A whole file."""

    path: str

    def __call__(self) -> BinaryIO:
        return open_file(self.path)


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that the caller passed in."""

    data: bytes = field(repr=False)

    def __call__(self) -> BinaryIO:
        return BytesIO(self.data)


@dataclass(frozen=True, slots=True)
class RefusedOpener:
    """The opener of a source that is known to be refused: calling it raises Refused."""

    code: RefusalCode
    message: str = ""

    def __call__(self) -> BinaryIO:
        raise Refused(self.code, self.message)


@dataclass(frozen=True, slots=True)
class Slice:
    """`size` bytes of a file from `offset` on, such as a member of an uncompressed tar.

    keep: an object that must live as long as the file is needed, such as the owner of a temporary file.
    """

    path: str
    offset: int
    size: int
    keep: object = None

    def __call__(self) -> BinaryIO:
        return BufferedReader(_Window(open_file(self.path), self.offset, self.size))


@dataclass(frozen=True, slots=True)
class ZipMember:
    """A member of a zip, with the offset of its local header, so that opening it does not read the directory again."""

    path: str
    header_offset: int
    method: int
    compressed: int
    size: int
    crc: int

    def __call__(self) -> BinaryIO:
        stream = open_file(self.path)  # the member's stream closes it
        try:
            stream.seek(self.header_offset)
            header = stream.read(LOCAL_HEADER)
            name, extra = int.from_bytes(header[26:28], "little"), int.from_bytes(header[28:30], "little")
            stream.seek(name + extra, os.SEEK_CUR)
            return cast(BinaryIO, zipfile.ZipExtFile(stream, "r", self._info(), close_fileobj=True))
        except BaseException:
            stream.close()
            raise

    def _info(self) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo()
        info.compress_type, info.compress_size = self.method, self.compressed
        info.file_size, info.CRC = self.size, self.crc
        return info


class _Window(RawIOBase):
    """A read-only view of part of a stream, which it closes. Ends early where the stream does."""

    def __init__(self, stream: BinaryIO, offset: int, size: int) -> None:
        self._stream, self._left = stream, size
        try:
            stream.seek(offset)
        except BaseException:
            stream.close()
            raise

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        part = self._stream.read(min(len(buffer), self._left))
        buffer[: len(part)] = part
        self._left -= len(part)
        return len(part)

    def close(self) -> None:
        self._stream.close()
        super().close()

"""The pictures that a Python caller may pass: paths, encoded bytes, open files, RGB arrays and Pillow images."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import numpy as np

from facesieve.errors import PictureTypeError
from facesieve.records import Pixels, RefusalCode, Source, displayed
from facesieve.sources.file import from_file
from facesieve.sources.openers import Memory, RefusedOpener


class Readable(Protocol):
    """An open binary file, or an object with the same `read`."""

    def read(self, size: int = ..., /) -> bytes: ...


class Image(Protocol):
    """A Pillow image. Pillow is not imported for this check: a caller with an image has imported it."""

    @property
    def size(self) -> tuple[int, int]: ...
    def getexif(self) -> Any: ...


Picture = Source | str | os.PathLike[str] | bytes | Pixels | Readable | Image

_KINDS = "a path, encoded bytes, an open binary file, an (H, W, 3) uint8 array or a Pillow image"


def as_sources(pictures: Picture | Iterable[Picture]) -> list[Source]:
    """One source per picture, in order. A single picture becomes a list of one.

    A picture is a path, encoded bytes, a file open for reading bytes, an upright RGB array (H, W, 3) uint8 or a
    Pillow image of any mode, whose EXIF orientation is applied. A numeric array is a single picture; an array
    (N, H, W, 3) is N pictures.
    Raises PictureTypeError (a TypeError) `bad_picture` for anything else. A picture of the right type that cannot be
    read, such as a missing path, becomes a refusal later.

    >>> [source.name for source in as_sources([b"", np.zeros((2, 2, 3), np.uint8)])]
    ['<bytes 0>', '<array 1>']
    >>> [source.name for source in as_sources("photo.jpg")]
    ['photo.jpg']
    """
    return list(each_source(pictures))


def each_source(pictures: Picture | Iterable[Picture]) -> Iterator[Source]:
    """The sources of `as_sources` one by one, for endless iterables. Raises at once if `pictures` is not iterable."""
    several = isinstance(pictures, np.ndarray) and pictures.ndim == 4
    single = None if several else _as_source(0, pictures)
    if single:
        return iter([single])
    no_items = isinstance(pictures, np.ndarray) and not pictures.ndim
    if no_items or not isinstance(pictures, Iterable) or isinstance(pictures, Mapping) or _is_text(pictures):
        message = f"This is {_named(pictures)}; a picture is {_KINDS}. Put several pictures in a list."
        raise PictureTypeError("bad_picture", message)
    return (_required(index, picture) for index, picture in enumerate(pictures))


def _required(index: int, picture: Any) -> Source:
    source = _as_source(index, picture)
    if source is None:
        raise PictureTypeError("bad_picture", f"Picture {index} is {_named(picture)}; a picture is {_KINDS}.")
    return source


def _as_source(index: int, picture: Any) -> Source | None:
    """A source where this is a single picture, else None."""
    match picture:
        case Source():
            return picture
        case str() | os.PathLike():
            return _of_path(picture)
        case bytes() | bytearray() | memoryview():
            return Source(f"<bytes {index}>", open=Memory(bytes(picture)))
        case np.ndarray() if np.issubdtype(picture.dtype, np.number):
            return Source(f"<array {index}>", pixels=picture)
    if _is_image(picture):
        return Source(f"<image {index}>", image=picture)
    if hasattr(picture, "read") and not _is_text(picture):
        return Source(f"<file {index}>", open=CallersFile(picture))
    return None


def _of_path(picture: str | os.PathLike[str]) -> Source | None:
    """None for an object whose path is not text."""
    try:
        path = os.fsdecode(picture)
    except TypeError:
        return None
    try:
        return from_file(Path(path))
    except (OSError, UnicodeEncodeError):  # the working folder is gone, or the path holds half a character
        return Source(displayed(path), open=RefusedOpener(RefusalCode.UNREADABLE))


def _is_text(picture: Any) -> bool:
    """Whether it is a file opened as text; a temporary file of `tempfile` wraps one."""
    return isinstance(picture, io.TextIOBase) or isinstance(getattr(picture, "file", None), io.TextIOBase)


def _is_image(picture: Any) -> bool:
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(picture, pillow.Image)


def _named(picture: Any) -> str:
    """A value of the wrong type, in words."""
    if picture is None:
        return "None"
    if _is_text(picture):
        return "a file opened as text (open it with mode 'rb')"
    return f"a value of type {type(picture).__name__}"


@dataclass(frozen=True, slots=True)
class CallersFile:
    """The opener of a file that the caller has opened. It is read from its start if it is seekable, and stays open."""

    file: Readable = field(repr=False)

    def __call__(self) -> BinaryIO:
        # Temporary files of `tempfile`, and files of other libraries, are not io.IOBase.
        seek, seekable = getattr(self.file, "seek", None), getattr(self.file, "seekable", None)
        if seek and (seekable is None or seekable()):
            seek(0)
        return cast(BinaryIO, _Unclosed(self.file))


class _Unclosed(io.RawIOBase):
    """A stream that reads from a file and does not close it."""

    def __init__(self, file: Readable) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        part = self._file.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)

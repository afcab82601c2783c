"""What a Python caller holds in the hand: paths, encoded bytes, RGB arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from facesieve.errors import UsageError
from facesieve.records import Pixels, Source
from facesieve.sources.folder import from_file
from facesieve.sources.opening import Memory


def as_sources(pictures: Iterable[Source | str | Path | bytes | Pixels]) -> list[Source]:
    """One source a picture, in order: a path, encoded bytes, or an upright RGB array (H, W, 3) uint8.

    Raises UsageError `bad_picture` for anything else; a path that is missing is refused when its turn comes.

    >>> [source.name for source in as_sources([b"", np.zeros((2, 2, 3), np.uint8)])]
    ['<bytes 0>', '<array 1>']
    """
    return list(each_source(pictures))


def each_source(pictures: Iterable[Source | str | Path | bytes | Pixels]) -> Iterator[Source]:
    """The same one by one, for pictures without end."""
    return (_as_source(index, picture) for index, picture in enumerate(pictures))


def _as_source(index: int, picture: Source | str | Path | bytes | Pixels) -> Source:
    match picture:
        case Source():
            return picture
        case str() | Path():
            return from_file(Path(picture))
        case bytes() | bytearray() | memoryview():
            return Source(f"<bytes {index}>", open=Memory(bytes(picture)))
        case np.ndarray():
            return Source(f"<array {index}>", pixels=picture)
    raise UsageError("bad_picture", f"Picture {index} is neither a path, nor bytes, nor an array.")

"""The marked copy of one clip. Its frames wait in a temporary file until the last one shows which faces are kept."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
import pyarrow as pa

from facesieve.dataset.tables.clip_rows import boxes_of, numbers_of
from facesieve.dataset.tables.schema import LANDMARKS
from facesieve.draw.encode import jpeg
from facesieve.draw.mark import mark
from facesieve.draw.vp8 import vp8
from facesieve.draw.webm import write_webm
from facesieve.records import Face, Photo, Pixels, Verdict

SIDE = 960  # pixels of the longer side of a marked clip; larger frames are scaled down
_SMALLEST = 16  # pixels of the shorter side
_QUALITY = 92  # of the frames that wait


@dataclass(frozen=True, slots=True)
class _Frame:
    """A frame that waits. number: in the clip. time: in seconds. size: its width and height in the clip."""

    number: int
    time: float
    size: tuple[int, int]
    offset: int
    length: int


class MarkedClip:
    """Collects the frames of one clip that are used, and writes them with the faces drawn on them."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by `close`
        self._size = (0, 0)
        self._frames = list[_Frame]()

    def add(self, photo: Photo) -> None:
        """Add a frame. All frames are scaled to the size of the first one, or less."""
        assert photo.time is not None
        self._size = self._size if self._frames else _scaled(photo.width, photo.height)
        pixels = np.asarray(cv2.resize(photo.pixels, self._size, interpolation=cv2.INTER_AREA), np.uint8)
        data = jpeg(pixels, _QUALITY)
        self._frames.append(_Frame(photo.frame, photo.time, (photo.width, photo.height), self._file.tell(), len(data)))
        self._file.write(data)

    @contextmanager
    def encoded(
        self, faces: pa.StructArray, end: float, waiting: Callable[[], None]
    ) -> Iterator[Callable[[BinaryIO], None]]:
        """Encode the clip. Yields a function that writes it as WebM to an empty file; it begins with the first frame.

        faces: those of all frames, with tracks and final verdicts. end: of the last frame, in seconds. waiting: called
        after each frame. Raises DatasetError if a temporary file cannot be written.
        """
        with vp8(self._folder, self._size) as encoder:
            found = _Faces(faces)
            for frame in self._frames:
                encoder.add(self._drawn(frame, found))
                waiting()
            times = [frame.time - self._frames[0].time for frame in self._frames]

            def write(stream: BinaryIO) -> None:
                frames = zip(times, encoder.frames(), strict=True)
                write_webm(stream, self._size, frames, max(end - self._frames[0].time, times[-1]))

            yield write

    def _drawn(self, frame: _Frame, found: _Faces) -> Pixels:
        self._file.seek(frame.offset)
        data = np.frombuffer(self._file.read(frame.length), np.uint8)
        decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
        assert decoded is not None  # it was encoded here
        pixels = np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)
        scale = (self._size[0] / frame.size[0], self._size[1] / frame.size[1])
        return mark(pixels, found.of(frame.number, scale), lambda face: [f"#{face.track}"])

    def close(self) -> None:
        """Remove the temporary file."""
        self._file.close()


class _Faces:
    """The faces of a clip by frame, as far as they are drawn."""

    def __init__(self, faces: pa.StructArray) -> None:
        self._frame, self._boxes = numbers_of(faces, "frame"), boxes_of(faces)
        self._points = np.stack([numbers_of(faces, name) for name in LANDMARKS], axis=1).reshape(-1, 5, 2)
        self._track, self._kept = numbers_of(faces, "track"), np.asarray(faces.field("kept").to_pylist(), bool)

    def of(self, frame: int, scale: tuple[float, float]) -> list[Face]:
        """The faces of a frame. scale: of x and y, from pixels of the clip to pixels of the marked clip."""
        first, last = (int(np.searchsorted(self._frame, frame, side)) for side in ("left", "right"))
        return [self._face(row, scale) for row in range(first, last)]

    def _face(self, row: int, scale: tuple[float, float]) -> Face:
        x, y, w, h = (self._boxes[row] * (*scale, *scale)).tolist()
        nothing, verdict = np.empty((0, 0, 3), np.uint8), Verdict(bool(self._kept[row]))
        return Face("", (x, y, w, h), self._points[row] * scale, 1.0, nothing, {}, verdict, track=int(self._track[row]))


def _scaled(width: int, height: int) -> tuple[int, int]:
    """The width and height of a marked clip in pixels: even, because VP8 stores colours for two by two pixels."""
    scale = min(1.0, SIDE / max(width, height))
    wide, high = (max(_SMALLEST, 2 * round(side * scale / 2)) for side in (width, height))
    return wide, high

"""Encodes frames as VP8, with the encoder of OpenCV's FFmpeg. Equal frames become equal bytes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2

from facesieve.errors import DatasetError, UsageError
from facesieve.records import Pixels

_CODEC = cv2.VideoWriter.fourcc(*"VP80")
_RATE = 25.0  # frames per second that the encoder is told; times are written by `write_webm`
_HEADER, _FRAME_HEADER = 32, 12  # bytes of an IVF file before the first frame, and before each frame


class Vp8:
    """Frames in a temporary file. size: width and height of all frames in pixels; both are even, and at least 16."""

    def __init__(self, path: Path, size: tuple[int, int]) -> None:
        self._path, self._count = path, 0
        self._video = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, _CODEC, _RATE, size)
        if not self._video.isOpened():
            raise DatasetError("cannot_write", f"Cannot write {path}: OpenCV cannot encode a clip there.")

    def add(self, pixels: Pixels) -> None:
        """Encode the next frame, (H, W, 3) uint8 RGB."""
        self._video.write(cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
        self._count += 1

    def frames(self) -> Iterator[bytes]:
        """Yield the encoded frames. No frame can be added any more.

        Raises DatasetError if some are missing, because the disk was full.
        """
        self._video.release()
        found = 0
        with self._path.open("rb") as stream:
            stream.seek(_HEADER)
            while len(header := stream.read(_FRAME_HEADER)) == _FRAME_HEADER:
                size = int.from_bytes(header[:4], "little")
                frame = stream.read(size)
                found += len(frame) == size
                yield frame
        if found != self._count:
            raise DatasetError("cannot_write", f"Cannot write {self._path}: not all frames of a clip were stored.")

    def close(self) -> None:
        """Close the file."""
        self._video.release()


@contextmanager
def vp8(folder: Path, size: tuple[int, int]) -> Iterator[Vp8]:
    """Yield an encoder whose temporary file is in `folder`. Raises DatasetError if it cannot be written."""
    path = folder.absolute() / f"{os.urandom(4).hex()}.ivf"
    try:
        encoder = Vp8(path, size)
        try:
            yield encoder
        finally:
            encoder.close()
    finally:
        path.unlink(missing_ok=True)


def check_vp8() -> None:
    """Check that frames can be encoded. Raises UsageError `no_vp8`."""
    try:
        with tempfile.TemporaryDirectory(prefix="facesieve-tmp-") as folder, vp8(Path(folder), (16, 16)):
            pass
    except DatasetError:
        message = "--marked-video needs an OpenCV whose FFmpeg can write VP8, such as that of opencv-python-headless."
        raise UsageError("no_vp8", message) from None

"""One clip opened by OpenCV's FFmpeg, which may open this file only and try the formats of clips only."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np

from facesieve.decode.containers import DEMUXERS
from facesieve.errors import Refused
from facesieve.records import Pixels, RefusalCode

_SECONDS = 30  # in which FFmpeg must find the streams, and read on
_SLOWEST_FPS, _SANE_FPS = 1 / 3600, 1e5
_LONGEST = 1e7  # seconds; a longer clip has a damaged header
_ENVIRONMENT = {
    "OPENCV_FFMPEG_CAPTURE_OPTIONS": f"protocol_whitelist;file|format_whitelist;{DEMUXERS}",
    "OPENCV_FFMPEG_LOGLEVEL": "-8",  # its lines on stderr do not name the file; the refusal does
}
_LOCK = threading.Lock()  # OpenCV takes these options from the environment of the process alone


@dataclass(frozen=True, slots=True)
class Capture:
    """An open clip.

    size: width and height in pixels, as stored. fps, duration: as its header says; None if it is unlikely.
    stretch: by how much width and height grow so that pixels are square.
    """

    video: cv2.VideoCapture
    size: tuple[int, int]
    fps: float | None
    duration: float | None
    codec: str
    stretch: tuple[float, float]

    def grab(self) -> float | None:
        """Decode the next frame. Returns its timestamp in seconds, NaN if there is none; None after the last frame."""
        return float(self.video.get(cv2.CAP_PROP_POS_MSEC)) / 1000 if self.video.grab() else None

    def pixels(self) -> Pixels | None:
        """The frame that was grabbed last, upright, with square pixels, (H, W, 3) uint8 RGB; None if it is damaged."""
        there, frame = self.video.retrieve()
        if not there or frame is None or frame.ndim != 3 or not frame.size:
            return None
        if self.stretch != (1.0, 1.0):
            size = (max(1, round(frame.shape[1] * self.stretch[0])), max(1, round(frame.shape[0] * self.stretch[1])))
            frame = cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR)
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)


@contextmanager
def opened(path: str, threads: int) -> Iterator[Capture]:
    """Yield the clip. threads: of the decoder; the pixels do not depend on it. Raises Refused `no_video`."""
    milliseconds = _SECONDS * 1000
    options = [cv2.CAP_PROP_N_THREADS, threads]
    options += [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, milliseconds, cv2.CAP_PROP_READ_TIMEOUT_MSEC, milliseconds]
    with _options(), _silence():
        video = cv2.VideoCapture(path, cv2.CAP_FFMPEG, options)
    try:
        if not video.isOpened():
            raise Refused(RefusalCode.NO_VIDEO)
        yield _described(video)
    finally:
        video.release()


def _described(video: cv2.VideoCapture) -> Capture:
    width, height, fps, count, codec, turn = (
        float(video.get(what))
        for what in (
            *(cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT, cv2.CAP_PROP_FPS, cv2.CAP_PROP_FRAME_COUNT),
            *(cv2.CAP_PROP_FOURCC, cv2.CAP_PROP_ORIENTATION_META),
        )
    )
    known = fps if math.isfinite(fps) and _SLOWEST_FPS <= fps <= _SANE_FPS else None
    seconds = count / known if known and math.isfinite(count) and count > 0 else None
    stretch = _stretch(video)
    sideways = round(turn) % 180 == 90
    return Capture(
        video,
        (round(width), round(height)),
        known,
        seconds if seconds and seconds < _LONGEST else None,
        _four_characters(round(codec)),
        stretch[::-1] if sideways else stretch,
    )


def _stretch(video: cv2.VideoCapture) -> tuple[float, float]:
    """By how much width and height of a frame grow so that its pixels are square. Nothing shrinks."""
    wide, high = (float(video.get(what)) for what in (cv2.CAP_PROP_SAR_NUM, cv2.CAP_PROP_SAR_DEN))
    ratio = wide / high if wide > 0 and high > 0 else 1.0
    if not 0.1 <= ratio <= 10:  # a damaged header
        return 1.0, 1.0
    return (ratio, 1.0) if ratio >= 1 else (1.0, 1 / ratio)


def _four_characters(code: int) -> str:
    text = (code & 0xFFFFFFFF).to_bytes(4, "little").decode("ascii", "replace")
    return "".join(char if char.isascii() and char.isprintable() else "?" for char in text).strip()


@contextmanager
def _silence() -> Iterator[None]:
    """In this block OpenCV prints nothing about clips that cannot be opened."""
    log = cv2.utils.logging
    before = log.setLogLevel(log.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        log.setLogLevel(before)


@contextmanager
def _options() -> Iterator[None]:
    with _LOCK:
        before = {name: os.environ.get(name) for name in _ENVIRONMENT}
        os.environ.update(_ENVIRONMENT)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value

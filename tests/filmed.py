"""Small clips for tests, written by OpenCV's FFmpeg. A test is skipped where it lacks the codec."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

CODECS = {"mp4": "mp4v", "mov": "mp4v", "m4v": "mp4v", "mkv": "mp4v", "webm": "VP80", "avi": "MJPG", "ts": "mp4v"}


def film(path: Path, frames: Iterable[np.ndarray], fps: float = 25, codec: str = "") -> Path:
    """Write a clip. frames: (H, W, 3) uint8 RGB, all of one size."""
    frames = list(frames)
    height, width = frames[0].shape[:2]
    codec = codec or CODECS[path.suffix[1:]]
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*codec), fps, (width, height))
    if not writer.isOpened():
        pytest.skip(f"this OpenCV cannot write {codec}")
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()
    return path


def grey(levels: Sequence[int], size: tuple[int, int] = (64, 48)) -> list[np.ndarray]:
    """One even frame for each level. size: width and height."""
    return [np.full((size[1], size[0], 3), level, np.uint8) for level in levels]


def walking(face: np.ndarray, count: int, size: tuple[int, int] = (320, 240), step: int = 2) -> list[np.ndarray]:
    """A face that moves `step` pixels to the right in every frame, before a grey wall. face: (H, W, 3) uint8 RGB."""
    height, width = face.shape[:2]
    frames = grey([120] * count, size)
    for number, frame in enumerate(frames):
        left, top = 10 + step * number, (size[1] - height) // 2
        frame[top : top + height, left : left + width] = face
    return frames


def turned(data: bytes) -> bytes:
    """An MP4 whose header says that the picture is to be turned by 90 degrees clockwise."""
    changed, one = bytearray(data), 1 << 16
    at = changed.find(b"tkhd") + 44  # the matrix in a box of version 0 (ISO/IEC 14496-12, 8.3.2)
    matrix = (0, one, 0, -one, 0, 0, 0, 0, 1 << 30)
    changed[at : at + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in matrix)
    return bytes(changed)

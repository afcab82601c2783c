"""PGM, PPM and PBM (the Netpbm formats P1 to P6): a header in text, then samples that numpy reads."""

from __future__ import annotations

import re
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from facesieve.decode.cost import Size, check_cost
from facesieve.errors import Refused
from facesieve.records import Pixels, RefusalCode
from facesieve.settings import Settings

_SPACE = rb"(?:\s|#[^\r\n]*[\r\n])+"
_SIDE, _MAXVAL = rb"(\d{1,9})", rb"(\d{1,5})"
_BITMAP_HEADER = re.compile(_SPACE.join([rb"P[14]", _SIDE, _SIDE]) + rb"\s")
_HEADER = re.compile(_SPACE.join([rb"P[2356]", _SIDE, _SIDE, _MAXVAL]) + rb"\s")
_COMMENT = re.compile(rb"#[^\r\n]*")
_MOST_HEADER = 1 << 16
_MOST_COMMENTS = 1000


def netpbm_size(data: bytes) -> Size:
    """Width and height from the header, in pixels; (0, 0) where there is no valid header."""
    header = _header(data)
    return (int(header[1]), int(header[2])) if header else (0, 0)


def decode_netpbm(data: bytes, settings: Settings) -> Pixels:
    """(H, W, 3) uint8 RGB; deeper samples are scaled, v * 255 / maxval rounded to nearest.

    Raises Refused: `corrupt`, `truncated`, and for limits.
    """
    header, kind = _header(data), data[1] - ord("0")
    if not header:
        raise Refused(RefusalCode.CORRUPT)
    width, height = int(header[1]), int(header[2])
    maxval = 1 if kind in (1, 4) else int(header[3])
    if not width or not height or not 0 < maxval < 1 << 16:
        raise Refused(RefusalCode.CORRUPT)
    check_cost("netpbm", (width, height), len(data), settings)
    shape = (height, width, 3) if kind in (3, 6) else (height, width, 1)
    samples = _samples(data, header.end(), kind, shape, maxval)
    if kind in (1, 4):
        samples = 1 - samples  # in PBM one is black
    if maxval != 255:
        levels = np.rint(np.arange(1 << 16).clip(0, maxval) * (255 / maxval)).astype(np.uint8)
        samples = levels[samples]
    pixels = np.ascontiguousarray(samples, np.uint8)
    return pixels if shape[2] == 3 else np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), np.uint8)


def _header(data: bytes) -> re.Match[bytes] | None:
    pattern = _BITMAP_HEADER if data[1:2] in (b"1", b"4") else _HEADER
    return pattern.match(data, 0, _MOST_HEADER)


def _samples(data: bytes, start: int, kind: int, shape: tuple[int, int, int], maxval: int) -> npt.NDArray[Any]:
    height, width, channels = shape
    count = height * width * channels
    rows: npt.NDArray[Any]
    if kind == 4:
        row = -(-width // 8)
        bits = np.unpackbits(_binary(data, start, height * row, np.uint8).reshape(height, row), axis=1)
        rows = bits[:, :width, None]
        return rows
    if kind in (5, 6):
        rows = _binary(data, start, count, np.uint8 if maxval < 256 else np.dtype(">u2")).reshape(shape)
        return rows
    text = data[start:]
    if b"#" in text:
        if text.count(b"#") > _MOST_COMMENTS:
            raise Refused(RefusalCode.CORRUPT)
        text = _COMMENT.sub(b"", text)
    if kind == 1:
        digits = np.frombuffer(text, np.uint8)
        found = digits[(digits == ord("0")) | (digits == ord("1"))][:count] - ord("0")
    else:
        try:
            found = np.fromstring(text.decode("ascii"), np.uint16, sep=" ")[:count]
        except (ValueError, DeprecationWarning):
            raise Refused(RefusalCode.CORRUPT) from None
    if found.size < count:
        raise Refused(RefusalCode.TRUNCATED)
    samples: npt.NDArray[Any] = found.reshape(shape)
    return samples


def _binary(data: bytes, start: int, count: int, kind: npt.DTypeLike) -> npt.NDArray[Any]:
    if len(data) - start < count * np.dtype(kind).itemsize:
        raise Refused(RefusalCode.TRUNCATED)
    return np.frombuffer(data, kind, count, start)

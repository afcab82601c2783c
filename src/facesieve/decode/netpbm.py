"""The Netpbm formats PBM, PGM, PPM, PAM and PFM: a header in text, then samples that numpy reads."""

from __future__ import annotations

import re
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from facesieve.decode.cost import Size, check_cost
from facesieve.decode.flatten import ROWS, flatten, from_light
from facesieve.decode.netpbm_header import NetpbmHeader, read_header
from facesieve.errors import Refused
from facesieve.records import Pixels, RefusalCode
from facesieve.settings import Settings

_COMMENT = re.compile(rb"#[^\r\n]*")
_MOST_COMMENTS = 1000
_ALPHA_BYTES = 6  # per pixel, for a picture with transparency besides its samples


def netpbm_size(data: bytes) -> Size:
    """Width and height from the header, in pixels; (0, 0) where there is no valid header."""
    header = read_header(data)
    return (header.width, header.height) if header else (0, 0)


def decode_netpbm(data: bytes, settings: Settings) -> Pixels:
    """(H, W, 3) uint8 RGB; deeper samples are scaled, v * 255 / maxval rounded to nearest, and floats are 0..1.

    Transparent pixels become white. Raises Refused: `corrupt`, `truncated`, `unsupported_format`, and for limits.
    """
    header = read_header(data)
    if not header:
        raise Refused(RefusalCode.CORRUPT)
    transparent = header.channels in (2, 4)
    check_cost("netpbm", (header.width, header.height), len(data), settings, _ALPHA_BYTES if transparent else 0)
    if header.kind in "fF":
        return _of_floats(data, header)
    samples = _samples(data, header)
    if header.kind in "14":
        samples = 1 - samples  # in PBM one is black
    if header.maxval != 255:
        levels = np.rint(np.arange(1 << 16).clip(0, header.maxval) * (255 / header.maxval)).astype(np.uint8)
        samples = levels[samples]
    pixels = np.ascontiguousarray(samples, np.uint8)
    if transparent:
        return flatten(Image.fromarray(pixels))
    return pixels if header.channels == 3 else _grey(pixels)


def _samples(data: bytes, header: NetpbmHeader) -> npt.NDArray[Any]:
    shape = header.height, header.width, header.channels
    count = header.height * header.width * header.channels
    rows: npt.NDArray[Any]
    if header.kind == "4":
        row = -(-header.width // 8)
        packed = _binary(data, header.start, header.height * row, np.uint8)
        rows = np.unpackbits(packed.reshape(header.height, row), axis=1)[:, : header.width, None]
        return rows
    if header.kind in "567":
        kind = np.uint8 if header.maxval < 256 else np.dtype(">u2")
        rows = _binary(data, header.start, count, kind).reshape(shape)
        return rows
    text = data[header.start :]
    if b"#" in text:
        if text.count(b"#") > _MOST_COMMENTS:
            raise Refused(RefusalCode.CORRUPT)
        text = _COMMENT.sub(b"", text)
    if header.kind == "1":
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


def _of_floats(data: bytes, header: NetpbmHeader) -> Pixels:
    """A PFM, whose rows go from the bottom to the top."""
    shape = header.height, header.width, header.channels
    kind = np.dtype("<f4" if header.little else ">f4")
    light = _binary(data, header.start, int(np.prod(shape)), kind).reshape(shape)[::-1]
    pixels = np.empty(shape, np.uint8)
    for top in range(0, header.height, ROWS):
        pixels[top : top + ROWS] = from_light(light[top : top + ROWS])
    return pixels if header.channels == 3 else _grey(pixels)


def _grey(pixels: Pixels) -> Pixels:
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), np.uint8)


def _binary(data: bytes, start: int, count: int, kind: npt.DTypeLike) -> npt.NDArray[Any]:
    if len(data) - start < count * np.dtype(kind).itemsize:
        raise Refused(RefusalCode.TRUNCATED)
    return np.frombuffer(data, kind, count, start)

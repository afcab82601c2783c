"""Writes VP8 frames with their times as a WebM file, which browsers play.

The elements are those of Matroska (RFC 9559). FFmpeg's own writer adds random numbers, and takes a frame rate instead
of times.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from io import SEEK_SET
from typing import BinaryIO

_UNKNOWN = (1 << 56) - 1  # the size of an element that is not known yet
_LONGEST = 30_000  # milliseconds of a cluster; times in it are numbers of 16 bits
_KEY = 0x80  # the flag of a frame that can be decoded alone


def write_webm(stream: BinaryIO, size: tuple[int, int], frames: Iterable[tuple[float, bytes]], seconds: float) -> None:
    """Write a clip of one VP8 track. stream: empty, can be sought in.

    size: width and height in pixels. frames: the time of each in seconds, ascending from 0, and its VP8 bytes. seconds:
    the duration.
    """
    stream.write(_master(0x1A45DFA3, _text(0x4282, "webm"), _number(0x4287, 2), _number(0x4285, 2)))
    stream.write(_id(0x18538067) + _size(_UNKNOWN))
    start = stream.tell()
    stream.write(_seek_head(0) + _info(seconds) + _tracks(size))
    cues = list[bytes]()
    blocks, began = list[bytes](), 0

    def flush() -> None:
        if blocks:
            position = stream.tell() - start
            stream.write(_master(0x1F43B675, _number(0xE7, began), *blocks))
            cues.append(_master(0xBB, _number(0xB3, began), _master(0xB7, _number(0xF7, 1), _number(0xF1, position))))
            blocks.clear()

    for time, frame in frames:
        at, is_key = round(1000 * time), not frame[0] & 1
        if is_key or at - began > _LONGEST:
            flush()
        began = began if blocks else at
        blocks.append(_element(0xA3, struct.pack(">BhB", 0x81, at - began, _KEY if is_key else 0) + frame))
    flush()
    position = stream.tell() - start
    stream.write(_master(0x1C53BB6B, *cues))
    end = stream.tell()
    stream.seek(start - 8, SEEK_SET)
    stream.write(_size(end - start) + _seek_head(position))
    stream.seek(end, SEEK_SET)


def _seek_head(cues: int) -> bytes:
    """Where the index is; of one length, whatever the position."""
    return _master(0x114D9B74, _master(0x4DBB, _element(0x53AB, _id(0x1C53BB6B)), _number(0x53AC, cues)))


def _info(seconds: float) -> bytes:
    millisecond = _number(0x2AD7B1, 1_000_000)
    names = _text(0x4D80, "FaceSieve") + _text(0x5741, "FaceSieve")
    return _master(0x1549A966, millisecond, names, _element(0x4489, struct.pack(">d", 1000 * seconds)))


def _tracks(size: tuple[int, int]) -> bytes:
    video = _master(0xE0, _number(0xB0, size[0]), _number(0xBA, size[1]))
    numbers = [_number(0xD7, 1), _number(0x73C5, 1), _number(0x9C, 0), _number(0x83, 1)]
    return _master(0x1654AE6B, _master(0xAE, *numbers, _text(0x86, "V_VP8"), video))


def _master(kind: int, *elements: bytes) -> bytes:
    return _element(kind, b"".join(elements))


def _text(kind: int, text: str) -> bytes:
    return _element(kind, text.encode("ascii"))


def _number(kind: int, number: int) -> bytes:
    return _element(kind, number.to_bytes(8, "big"))


def _element(kind: int, data: bytes) -> bytes:
    return _id(kind) + _size(len(data)) + data


def _id(kind: int) -> bytes:
    return kind.to_bytes((kind.bit_length() + 7) // 8, "big")


def _size(size: int) -> bytes:
    """A size in eight bytes, so that it can be written over."""
    return (1 << 56 | size).to_bytes(8, "big")

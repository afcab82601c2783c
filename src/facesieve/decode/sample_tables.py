"""The sample tables of MP4 and QuickTime files, checked before FFmpeg builds an index from them.

FFmpeg needs up to 70 bytes for each sample (frame) that a header names, and a header of a few bytes can name two
billion. So a file of 100 kB could take gigabytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from facesieve.errors import Refused
from facesieve.records import RefusalCode

MOST, BYTES_EACH = 3_000_000, 200  # samples of a small file; a file with more needs so many bytes for each
MOST_EDITED = 10_000_000  # samples times edits of a track: FFmpeg indexes the samples of each edit
_MOST_BOXES = 500_000
_CONTAINERS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"moof", b"traf", b"mvex", b"udta"})


@dataclass(slots=True)
class _Track:
    """What the boxes of one track say. times: how many boxes of times it has, and whether one is not one tick each."""

    samples: int = 0
    edits: int = 1
    handlers: set[bytes] = field(default_factory=set)
    times: list[bool] = field(default_factory=list)

    @property
    def indexed(self) -> int:
        """How many samples FFmpeg indexes one by one. It indexes sound without compression by blocks."""
        is_plain_sound = b"soun" in self.handlers and b"vide" not in self.handlers and self.times == [True]
        return 0 if is_plain_sound else self.samples


def check_samples(path: str, length: int) -> None:
    """Check how many samples an MP4 or QuickTime file names. length: of the file in bytes.

    Raises Refused `no_video` if it names more than it can reasonably hold.
    """
    tracks = [_Track()]
    with open(path, "rb") as stream:  # noqa: PTH123 - the path is a descriptor
        for kind, body in _boxes(stream, length):
            if kind == b"trak":
                tracks.append(_Track())
            else:
                _note(kind, body, tracks[-1])
        stream.seek(0)  # where descriptors of one file share a position
    total = sum(track.indexed for track in tracks)
    edited = max((track.indexed * track.edits for track in tracks if track.edits > 1), default=0)
    if total > max(MOST, length // BYTES_EACH) or edited > max(MOST_EDITED, length // BYTES_EACH):
        raise Refused(RefusalCode.NO_VIDEO, "The header of this clip names more frames than such a file can hold.")


def _boxes(stream: BinaryIO, length: int) -> Iterator[tuple[bytes, bytes]]:
    """Yield the kind and the first bytes of the body of each box, those of containers before what is in them."""
    left, count = [(0, length)], 0
    while left:
        at, end = left.pop()
        if at + 8 > end:
            continue
        count += 1
        if count > _MOST_BOXES:
            raise Refused(RefusalCode.NO_VIDEO, "The header of this clip has too many parts.")
        stream.seek(at)
        head = stream.read(48)
        size, kind = struct.unpack(">I4s", head[:8].ljust(8, b"\0"))
        body = 8
        if size == 1:
            size, body = int.from_bytes(head[8:16], "big"), 16
        size = size or end - at
        if size < body:
            continue
        left.append((at + size, end))
        if kind in _CONTAINERS:
            left.append((at + body, min(at + size, end)))
        yield kind, head[body:]


def _note(kind: bytes, body: bytes, track: _Track) -> None:
    """Note what a box says (ISO/IEC 14496-12, 8.4.3, 8.6.1.2, 8.6.6, 8.7.3 and 8.8.8)."""
    first, second, third = struct.unpack(">III", body[4:16].ljust(12, b"\0"))
    match kind:
        case b"hdlr":
            track.handlers.add(body[8:12])
        case b"stts":
            track.times.append((first, third) == (1, 1))
        case b"elst":
            track.edits = max(track.edits, first)
        case b"stsz" | b"stz2":
            track.samples += second
        case b"trun":
            track.samples += first

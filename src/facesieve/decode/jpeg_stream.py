"""The structure of a JPEG file (ITU-T T.81 annex B), read in the same way as libjpeg; no pixel is decoded."""

from __future__ import annotations

import re
from dataclasses import dataclass

from facesieve.decode.integers import big
from facesieve.errors import Refused
from facesieve.records import RefusalCode

# A marker is 0xFF and a byte that is neither 0 nor 0xFF. `re` skips everything else quickly.
_MARKER = re.compile(rb"\xff[^\x00\xff]")
_MARKER_AFTER_SCAN = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]")
MOST_SEGMENTS = 1 << 16

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # start of frame: all of 0xC0..0xCF except DHT, JPG and DAC
_SEQUENTIAL = frozenset({0xC0, 0xC1, 0xC9})
_TABLES = frozenset({0xC4, 0xCC, 0xDB, 0xDD})
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})
_START, _END, _SCAN, _COMMENT, _APP0, _APP1, _APP2, _APP14 = 0xD8, 0xD9, 0xDA, 0xFE, 0xE0, 0xE1, 0xE2, 0xEE

_PLAIN_JFIF = b"\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
_PLAIN_ADOBE = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0"
_END_OF_IMAGE = b"\xff\xd9"


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """Everything before the pixels.

    samples: stored samples per pixel; 1.5 for colour with 4:2:0 subsampling. one_scan: whether one scan has all pixels.
    contiguous: whether every segment begins where the previous one ends. exif: the content of the first EXIF segment,
    or b"". icc: the embedded colour profile, or b"". marks: minimal JFIF and Adobe segments, which tell how colours
    are stored. kept: the segments that the decoder needs, as (start, end). first_scan: the header of the first scan.
    scan: the offset of its data.
    """

    width: int
    height: int
    precision: int
    components: tuple[int, ...]
    samples: float
    one_scan: bool
    contiguous: bool
    exif: bytes
    icc: bytes
    marks: bytes
    kept: tuple[tuple[int, int], ...]
    first_scan: bytes
    scan: int


@dataclass(frozen=True, slots=True)
class JpegScans:
    """Where the first image of the file ends.

    end: the offset of its end marker, or of the end of the file. ended: whether there is an end marker.
    complete: whether the scans have every coefficient at full precision. count: the number of scans.
    """

    end: int
    ended: bool
    complete: bool
    count: int


def read_header(data: bytes | memoryview, most: int = MOST_SEGMENTS) -> JpegHeader:
    """The segments up to the first scan, at most `most`.

    Raises Refused: `truncated` where the file ends before that, `corrupt` where no decoder would find a picture.
    """
    frame = b""
    progressive, contiguous, exif, marks = False, True, b"", [b"", b""]
    profile: list[bytes] = []
    kept: list[tuple[int, int]] = []
    at = 2
    for _ in range(most):
        found = _MARKER.search(data, at)
        if not found:
            raise Refused(RefusalCode.TRUNCATED)
        start = found.start()
        contiguous &= start == at
        marker = data[start + 1]
        if marker in _BARE:
            at = start + 2
            continue
        if marker in (_START, _END):
            raise Refused(RefusalCode.CORRUPT)
        length = big(data[start + 2 : start + 4])
        at = start + 2 + max(length, 2)
        if at > len(data):
            raise Refused(RefusalCode.TRUNCATED)
        body = bytes(data[start + 4 : at]) if marker != _COMMENT else b""
        if marker == _SCAN:
            if not frame or not _is_scan(body):
                raise Refused(RefusalCode.CORRUPT)
            kept.append((start, at))
            sizes = [(byte >> 4, byte & 15) for byte in frame[7::3]]
            return JpegHeader(
                width=big(frame[3:5]),
                height=big(frame[1:3]),
                precision=frame[0],
                components=tuple(frame[6::3]),
                samples=_samples(sizes),
                one_scan=not progressive and body[0] == len(sizes),
                contiguous=contiguous,
                exif=exif,
                icc=b"".join(part[14:] for part in sorted(profile, key=lambda part: part[12])),
                marks=b"".join(marks),
                kept=tuple(kept),
                first_scan=body,
                scan=at,
            )
        if marker in _FRAMES:
            if frame or len(body) < 9 or len(body) != 6 + 3 * body[5]:
                raise Refused(RefusalCode.CORRUPT)
            frame, progressive = body, marker not in _SEQUENTIAL
            kept.append((start, at))
        elif marker in _TABLES:
            kept.append((start, at))
        elif marker == _APP0 and body.startswith(b"JFIF\0") and length >= 16:
            marks[0] = _PLAIN_JFIF
        elif marker == _APP14 and body.startswith(b"Adobe") and length >= 14:
            marks[1] = _PLAIN_ADOBE + body[11:12]
        elif marker == _APP1 and body.startswith(b"Exif\0") and not exif:
            exif = body[6:]
        elif marker == _APP2 and body.startswith(b"ICC_PROFILE\0") and len(body) > 14:
            profile.append(body)
    raise Refused(RefusalCode.CORRUPT, f"The JPEG has more than {most:,} segments before its pixels.")


def read_scans(data: bytes, header: JpegHeader, most: int) -> JpegScans:
    """The scans of the first image. Data after its end marker, such as a video, do not belong to it.

    Raises Refused: `too_many_scans` when there are more than `most`.
    """
    missing = {component: bytearray(b"\1" * 64) for component in header.components}
    count, at = 1, header.scan
    _cross_off(missing, header.first_scan)
    segments = 0
    while found := _MARKER_AFTER_SCAN.search(data, at):
        start, marker = found.start(), data[found.start() + 1]
        if marker == _END:
            return JpegScans(start, True, True, count)
        at = start + 2 + max(big(data[start + 2 : start + 4]), 2)
        segments += 1
        if at > len(data) or segments > MOST_SEGMENTS:
            return JpegScans(start, False, _complete(missing), count)
        body = data[start + 4 : at]
        if marker == _SCAN and _is_scan(body):
            count += 1
            _cross_off(missing, body)
        if count > most:
            raise Refused(RefusalCode.TOO_MANY_SCANS)
    return JpegScans(len(data), False, _complete(missing), count)


def without_metadata(data: bytes, header: JpegHeader, end: int, add_end: bool) -> bytes:
    """The first image with only the segments that a decoder needs. add_end: whether to add an end marker."""
    parts = (data[start:stop] for start, stop in header.kept)
    return b"".join((b"\xff\xd8", header.marks, *parts, data[header.scan : end], _END_OF_IMAGE if add_end else b""))


def _is_scan(body: bytes) -> bool:
    return len(body) >= 6 and 1 <= body[0] <= 4 and len(body) == 4 + 2 * body[0]


def _samples(sizes: list[tuple[int, int]]) -> float:
    most = max(h for h, _ in sizes) * max(v for _, v in sizes)
    return sum(h * v for h, v in sizes) / max(most, 1)


def _cross_off(missing: dict[int, bytearray], scan: bytes) -> None:
    """Clear the flags of the coefficients that a scan completes (T.81 G.1.1.1: from Ss to Se, down to bit Al)."""
    first, last, low_bit = scan[-3], min(scan[-2], 63), scan[-1] & 15
    for component in scan[1:-3:2]:
        if component in missing:
            missing[component][first : last + 1] = bytes([low_bit > 0]) * (last + 1 - first)


def _complete(missing: dict[int, bytearray]) -> bool:
    return not any(any(coefficients) for coefficients in missing.values())

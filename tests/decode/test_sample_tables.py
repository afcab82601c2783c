"""MP4 headers that name more samples than a file can hold are refused before FFmpeg builds an index of them."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from facesieve.decode import decode_each
from facesieve.decode.sample_tables import check_samples
from facesieve.errors import Refused
from facesieve.records import Photo, Refusal
from facesieve.settings import Settings
from facesieve.sources import as_sources
from filmed import film, grey

MANY = 50_000_000


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def numbers(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *values)


def track(handler: bytes, samples: int, ticks: int = 1, edits: int = 1) -> bytes:
    table = box(b"stbl", box(b"stts", numbers(0, 1, samples, ticks)), box(b"stsz", numbers(0, 4, samples)))
    media = box(b"mdia", box(b"hdlr", numbers(0, 0), handler, bytes(12)), box(b"minf", table))
    return box(b"trak", box(b"edts", box(b"elst", numbers(0, edits))), media)


def is_refused(tmp_path: Path, data: bytes) -> bool:
    path = tmp_path / "clip.mp4"
    path.write_bytes(data)
    try:
        check_samples(str(path), len(data))
    except Refused as refused:
        return refused.code == "no_video"
    return False


@pytest.mark.parametrize(
    ("header", "refused"),
    [
        (box(b"moov", track(b"vide", 100_000)), False),
        (box(b"moov", track(b"vide", MANY)), True),
        (box(b"moov", *[track(b"vide", 1_000_000)] * 4), True),
        (box(b"moov", track(b"soun", MANY)), False),  # sound without compression: each number is a sample
        (box(b"moov", track(b"soun", MANY, ticks=2)), True),
        (box(b"moov", track(b"vide", 100_000, edits=3)), False),
        (box(b"moov", track(b"vide", 100_000, edits=5000)), True),
        (box(b"moof", box(b"traf", box(b"trun", numbers(0, MANY)))), True),
        (box(b"moov", box(b"udta", track(b"vide", MANY))), True),
        (numbers(1) + b"moov" + struct.pack(">Q", 1 << 62) + track(b"vide", MANY), True),
        (b"", False),
        (numbers(4) + b"moov", False),
    ],
)
def test_samples_are_counted_in_every_kind_of_table(tmp_path: Path, header: bytes, refused: bool) -> None:
    assert is_refused(tmp_path, box(b"ftyp", b"isom") + header) == refused


def test_a_header_of_countless_boxes_is_refused(tmp_path: Path) -> None:
    assert not is_refused(tmp_path, box(b"free") * 1000)
    assert is_refused(tmp_path, box(b"free") * 500_001)


def test_a_clip_with_such_a_header_is_refused_and_others_are_read(tmp_path: Path) -> None:
    clip = film(tmp_path / "a.mp4", grey([50] * 5))
    data = bytearray(clip.read_bytes())
    at = data.index(b"stsz")
    data[at + 4 : at + 16] = numbers(0, 1, MANY)
    (tmp_path / "b.mp4").write_bytes(data)
    [photo] = decode_each(as_sources(clip)[0], Settings())
    [refused] = decode_each(as_sources(tmp_path / "b.mp4")[0], Settings())
    assert isinstance(photo, Photo) and isinstance(refused, Refusal)
    assert (refused.code, refused.message) == (
        "no_video",
        "The header of this clip names more frames than such a file can hold.",
    )

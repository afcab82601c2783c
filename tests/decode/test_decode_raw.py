"""Raw files of cameras: the full-size preview or nothing."""

from __future__ import annotations

import struct
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facesieve.decode import decode_one
from facesieve.records import Photo, Refusal
from facesieve.settings import Settings
from facesieve.sources import as_sources

Entries = list[tuple[int, int, int]]  # tag, type, value
SHORT, LONG = 3, 4
SENSOR = 400, 300


def directory(entries: Entries, order: str) -> bytes:
    body = struct.pack(f"{order}H", len(entries))
    for tag, kind, value in sorted(entries):
        packed = struct.pack(
            f"{order}HH" if kind == SHORT else f"{order}I", *((value, 0) if kind == SHORT else (value,))
        )
        body += struct.pack(f"{order}HHI", tag, kind, 1) + packed
    return body + bytes(4)


def raw_file(preview: bytes, order: str = "<", orientation: int = 1, dng: bool = True) -> bytes:
    """A thumbnail of 16 x 12 first, as cameras write it, then a preview and the sensor's samples as sub-directories."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    width, height = SENSOR
    blob = 1000
    thumbnail, samples = bytes(16 * 12 * 3), bytes(width * height)
    sensor_at, preview_at = 400, 600
    first: Entries = [
        (254, LONG, 1), (256, LONG, 16), (257, LONG, 12), (258, SHORT, 8), (259, SHORT, 1), (262, SHORT, 2),
        (273, LONG, blob), (274, SHORT, orientation), (277, SHORT, 3), (278, LONG, 12), (279, LONG, len(thumbnail)),
        (330, LONG, sensor_at),
    ]  # fmt: skip
    if dng:
        first.append((50706, LONG, 0x00000401))
    samples_at = blob + len(thumbnail)
    sensor: Entries = [
        (254, LONG, 0), (256, LONG, width), (257, LONG, height), (259, SHORT, 1 if dng else 34713),
        (262, SHORT, 32803), (273, LONG, samples_at), (279, LONG, len(samples)), (330, LONG, preview_at),
    ]  # fmt: skip
    jpeg_at = samples_at + len(samples)
    shown: Entries = [(254, LONG, 1), (259, SHORT, 6), (513, LONG, jpeg_at), (514, LONG, len(preview))]
    data = bytearray(blob)
    for at, entries in ((8, first), (sensor_at, sensor), (preview_at, shown)):
        packed = directory(entries, order)
        data[at : at + len(packed)] = packed
    data[:8] = head
    return bytes(data) + thumbnail + samples + preview


def preview(portrait: Image.Image, size: tuple[int, int]) -> bytes:
    out = BytesIO()
    portrait.resize(size).save(out, "JPEG", quality=95)
    return out.getvalue()


def answer(data: bytes) -> Photo | Refusal:
    return decode_one(as_sources([data])[0], Settings())


@pytest.fixture(scope="module")
def portrait(astronaut: Path) -> Image.Image:
    return Image.open(astronaut).convert("RGB")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dng", [True, False])
def test_the_full_size_preview_is_the_photo_and_its_format_says_raw(
    portrait: Image.Image, order: str, dng: bool
) -> None:
    jpeg = preview(portrait, (392, 296))
    photo = answer(raw_file(jpeg, order, dng=dng))
    assert isinstance(photo, Photo)
    assert photo.format == "raw"
    assert np.array_equal(photo.pixels, np.asarray(Image.open(BytesIO(jpeg))))


def test_the_raw_files_orientation_turns_the_preview(portrait: Image.Image) -> None:
    photo = answer(raw_file(preview(portrait, SENSOR), orientation=6))
    assert isinstance(photo, Photo)
    assert (photo.width, photo.height) == (300, 400)


@pytest.mark.parametrize("jpeg", [b"", b"\xff\xd8\xff\xd9", b"small"])
def test_without_a_full_size_preview_it_is_refused_and_the_thumbnail_is_not_used(
    portrait: Image.Image, jpeg: bytes
) -> None:
    refusal = answer(raw_file(preview(portrait, (160, 120)) if jpeg == b"small" else jpeg))
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.format) == ("raw", "raw")


@pytest.mark.parametrize(
    "head",
    [
        b"FUJIFILMCCD-RAW 0201",
        b"IIRO\x08\0\0\0",
        b"IIU\0\x08\0\0\0",
        b"FOVb\0\0\0\0",
        b"\0MRM\0\0\0\0",
        b"II*\0\x10\0\0\0CR\2\0",
        b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
    ],
)
def test_raw_files_of_other_kinds_are_recognised_by_their_first_bytes(head: bytes) -> None:
    refusal = answer(head + bytes(500))
    assert isinstance(refusal, Refusal)
    assert refusal.code == "raw"


def test_an_ordinary_tiff_with_a_sub_directory_stays_a_tiff() -> None:
    """A pyramid's smaller levels lie in sub-directories."""
    out = BytesIO()
    Image.new("RGB", (64, 48), "red").save(out, "TIFF", tiffinfo={330: 8})
    photo = answer(out.getvalue())
    assert isinstance(photo, Photo)
    assert photo.format == "tiff"


def many_directories(jpeg: bytes, distinct: bool) -> bytes:
    """A DNG of 63 directories that each point twice at a JPEG: all at the same, or each at places of its own."""
    size = 2 + 12 * 6 + 4
    jpegs_at = 8 + 63 * size
    body = b"II*\0" + struct.pack("<I", 8)
    for number in range(63):
        first, second = (jpegs_at + len(jpeg) * (2 * number + half) * distinct for half in (0, 1))
        entries: Entries = [
            (259, SHORT, 7), (273, LONG, first), (279, LONG, len(jpeg)), (513, LONG, second), (514, LONG, len(jpeg)),
            (50706, LONG, 0x00000401),
        ]  # fmt: skip
        after = 8 + (number + 1) * size if number < 62 else 0
        body += directory(entries, "<")[:-4] + struct.pack("<I", after)
    return body + jpeg * (126 if distinct else 1)


@pytest.mark.parametrize("distinct", [False, True])
@pytest.mark.parametrize("body", [b"\xff\xe5\0\2" * 65_530, b"\xff" * 400_000], ids=["segments", "fill bytes"])
def test_many_previews_without_an_end_to_their_headers_cost_no_time(distinct: bool, body: bytes) -> None:
    data = many_directories(b"\xff\xd8" + body, distinct)
    began = time.process_time()
    refusal = answer(data)
    assert time.process_time() - began < 2
    assert isinstance(refusal, Refusal)
    assert refusal.code == "raw"


@pytest.mark.parametrize(("kind", "code"), [(0, ""), (1, "raw")])
def test_a_small_copy_of_another_picture_in_the_file_is_not_the_photo(kind: int, code: str) -> None:
    def page(width: int, height: int, more: Entries, at: int) -> Entries:
        shape = [(256, LONG, width), (257, LONG, height), (258, SHORT, 8), (259, SHORT, 1), (262, SHORT, 1)]
        return [*shape, (273, LONG, at), (277, SHORT, 1), (278, LONG, height), (279, LONG, width * height), *more]

    data = bytearray(b"II*\0\x08\0\0\0".ljust(1000, b"\0") + bytes(16 * 12 + 160 * 120))
    for start, entries in (
        (8, page(16, 12, [(254, LONG, kind), (330, LONG, 400)], 1000)),
        (400, page(160, 120, [], 1000 + 16 * 12)),
    ):
        packed = directory(entries, "<")
        data[start : start + len(packed)] = packed
    found = answer(bytes(data))
    assert (found.code if isinstance(found, Refusal) else "") == code

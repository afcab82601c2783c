"""How a JPEG file is split: its end, the data after it, and its scans."""

from __future__ import annotations

import random
import re
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facesieve.decode import decode_one
from facesieve.decode.jpeg_stream import read_header, read_scans
from facesieve.records import Photo, Refusal
from facesieve.settings import Settings
from facesieve.sources import as_sources

FILM = b"\0\0\0\x18ftypmp42\0\0\0\0isommp42"
LAST_SCAN = re.compile(rb".*(\xff\xda.*)\xff\xd9", re.S)


def encoded(image: Image.Image, **options: object) -> bytes:
    out = BytesIO()
    image.save(out, "JPEG", **options)
    return out.getvalue()


@pytest.fixture(scope="module")
def portrait(astronaut: Path) -> Image.Image:
    return Image.open(astronaut).convert("RGB").crop((170, 30, 290, 140))


def answer(data: bytes, **limits: int) -> Photo | Refusal:
    return decode_one(as_sources([data])[0], Settings(**limits))


KINDS = [{}, {"progressive": True}, {"restart_marker_blocks": 5}]


@pytest.mark.parametrize("options", KINDS, ids=str)
@pytest.mark.parametrize("missing", [1, 2])
def test_a_jpeg_that_lacks_only_its_end_marker_is_read(
    portrait: Image.Image, options: dict[str, object], missing: int
) -> None:
    data = encoded(portrait, **options)
    whole, cut = answer(data), answer(data[:-missing])
    assert isinstance(cut, Photo)
    assert isinstance(whole, Photo)
    assert np.array_equal(cut.pixels, whole.pixels)


def test_padding_in_place_of_the_end_marker_is_no_damage(portrait: Image.Image) -> None:
    data = encoded(portrait)
    whole, padded = answer(data), answer(data[:-2] + bytes(512))
    assert isinstance(padded, Photo)
    assert isinstance(whole, Photo)
    assert np.array_equal(padded.pixels, whole.pixels)


def test_a_progressive_jpeg_without_its_last_scan_and_end_marker_is_truncated(portrait: Image.Image) -> None:
    data = encoded(portrait, progressive=True)
    last = LAST_SCAN.match(data)
    assert last
    refusal = answer(data[: last.start(1)])
    assert isinstance(refusal, Refusal)
    assert refusal.code == "truncated"


@pytest.mark.parametrize("options", KINDS, ids=str)
def test_a_film_behind_the_picture_does_not_count_as_scans(portrait: Image.Image, options: dict[str, object]) -> None:
    data = encoded(portrait, **options)
    film = FILM + random.Random(0).randbytes(1 << 20) + b"\xff\xda\0\x08\1\1\0\0\x3f\0" * 1000
    alone, motion = answer(data), answer(data + film)
    assert isinstance(motion, Photo)
    assert isinstance(alone, Photo)
    assert np.array_equal(motion.pixels, alone.pixels)


def test_scans_of_the_thumbnail_do_not_count(portrait: Image.Image) -> None:
    data = encoded(portrait, progressive=True)
    scans = data.count(b"\xff\xda")
    with_thumbnail = data[:2] + b"\xff\xe1" + (2 + 6 + len(data)).to_bytes(2, "big") + b"Exif\0\0" + data + data[2:]
    assert isinstance(answer(with_thumbnail, max_jpeg_scans=scans), Photo)


def test_the_scans_of_a_progressive_picture_are_all_found_and_complete(portrait: Image.Image) -> None:
    data = encoded(portrait, progressive=True)
    scans = read_scans(data, read_header(data), 100)
    assert (scans.count, scans.ended, scans.complete, scans.end) == (10, True, True, len(data) - 2)


def test_many_passes_over_many_pixels_are_refused_and_over_few_are_not() -> None:
    """Each pass over 4 megapixels costs about 2 ms, however few bytes it has."""
    data = encoded(Image.new("L", (2000, 2000), 100), progressive=True)
    last = LAST_SCAN.match(data)
    assert last
    passes = 180 - data.count(b"\xff\xda")
    endless = data[:-2] + last[1] * passes + b"\xff\xd9"
    refusal = answer(endless, max_jpeg_work=100_000_000)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "too_many_scans"
    assert "max_jpeg_work" in refusal.message
    assert isinstance(answer(endless, max_jpeg_work=2000 * 2000 * 180), Photo)


def test_stray_and_fill_bytes_between_segments_are_skipped(portrait: Image.Image) -> None:
    data = encoded(portrait)
    plain = answer(data)
    odd = answer(data.replace(b"\xff\xdb", b"\0\0abc\xff\0\xff\xff\xff\xdb", 1))
    assert isinstance(odd, Photo)
    assert isinstance(plain, Photo)
    assert np.array_equal(odd.pixels, plain.pixels)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\xff\xd8\xff" + b"\xff" * 1000, "truncated"),
        (b"\xff\xd8\xff\xd9", "corrupt"),
        (b"\xff\xd8\xff\xd8", "corrupt"),
        (b"\xff\xd8\xff\xda\0\x08\1\1\0\0\x3f\0", "corrupt"),
        (b"\xff\xd8" + b"\xff\xe1\0\2" * 70_000, "corrupt"),
    ],
)
def test_a_file_without_a_picture_is_recognised_by_its_structure(data: bytes, code: str) -> None:
    refusal = answer(data)
    assert isinstance(refusal, Refusal)
    assert refusal.code == code

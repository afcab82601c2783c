"""Metadata, whole or broken, never decide whether a picture is read, nor what its pixels are."""

from __future__ import annotations

import zlib
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pytest
from mutations import chunk, mutated, pictures, scratched, segment
from PIL import Image

from facesieve.decode import decode_one
from facesieve.records import Photo, Pixels, Refusal
from facesieve.settings import Settings
from facesieve.sources import as_sources

SETTINGS = Settings()
DEFAULT, ALL = 50, 1167  # mutations per picture; six pictures make 300 and 7,002


@pytest.fixture(scope="module")
def portrait(astronaut: Path) -> Image.Image:
    return Image.open(astronaut).convert("RGB").crop((170, 30, 290, 140))


@pytest.fixture(scope="module")
def files(portrait: Image.Image) -> dict[str, bytes]:
    return pictures(portrait)


def answer(data: bytes) -> Photo | Refusal:
    return decode_one(as_sources([data])[0], SETTINGS)


def pixels(data: bytes) -> Pixels:
    photo = answer(data)
    assert isinstance(photo, Photo), photo
    return photo.pixels


def by_opencv(data: bytes) -> Pixels | None:
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return None if decoded is None else decoded[..., ::-1]


def check(files: dict[str, bytes], name: str, seeds: range) -> int:
    """What OpenCV reads as the very pixels of the untouched picture, so do we. Returns how often it did."""
    original, agreed = by_opencv(files[name]), 0
    assert original is not None
    for seed in seeds:
        for change in (mutated, scratched):
            data = change(files[name], seed)
            theirs = by_opencv(data)
            if theirs is not None and np.array_equal(theirs, original):
                agreed += 1
                assert np.array_equal(pixels(data), original), f"{change.__name__} {name}, seed {seed}"
    return agreed


NAMES = ["baseline.jpg", "progressive.jpg", "grey.jpg", "colour.png", "grey.png", "palette.png"]


@pytest.mark.parametrize("name", NAMES)
def test_changed_metadata_leave_the_pixels_that_opencv_reads(files: dict[str, bytes], name: str) -> None:
    assert check(files, name, range(DEFAULT)) > DEFAULT


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_seven_thousand_changes_of_metadata_leave_the_pixels_alone(files: dict[str, bytes], name: str) -> None:
    assert check(files, name, range(DEFAULT, DEFAULT + ALL)) > ALL


@pytest.mark.parametrize(
    "extra",
    [
        chunk(b"tEXt", b"Comment\0" + b"x" * 3_000_000),
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(80_000_000))),
        chunk(b"iTXt", b"Comment\0\1\0en\0\0" + zlib.compress(bytes(20_000_000))),
        chunk(b"iCCP", b"odd"),
        chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(20_000_000))),
        chunk(b"pHYs", b"x"),
        chunk(b"eXIf", b"not EXIF"),
        chunk(b"tIME", b"", crc=1),
        chunk(b"tRNS", b"\0\1"),
        chunk(b"tRNS", b"\0\1\0\1\0\1", crc=1),
        chunk(b"acTL", b"x"),
    ],
    ids=lambda extra: f"{extra[4:8].decode()}-{len(extra)}",
)
def test_a_png_is_read_whatever_its_ancillary_chunks_hold(portrait: Image.Image, extra: bytes) -> None:
    out = BytesIO()
    portrait.save(out, "PNG")
    data = out.getvalue()
    assert np.array_equal(pixels(data[:33] + extra + data[33:]), np.asarray(portrait))
    assert np.array_equal(pixels(data[:-12] + extra + data[-12:]), np.asarray(portrait))


@pytest.mark.parametrize(
    "extra",
    [
        segment(0xE0, b"JFIF\0"),
        segment(0xE0, b"JFIF\0\x09\x09\x09"),
        segment(0xE2, b"ICC_PROFILE\0"),
        segment(0xE2, b"ICC_PROFILE\0\x07\x02odd"),
        segment(0xE2, b"MPF\0II*\0\xff\xff\xff\xff"),
        segment(0xEE, b"Adobe"),
        segment(0xEE, b"Adobe\0\x64\0"),
        segment(0xED, b"Photoshop 3.0\0" + b"8BIM\x03\xed\0\0\xff\xff\xff\xff12"),
        segment(0xE1, b"Exif\0\0MM"),
        b"\xff\xfe\0\x00",
    ],
    ids=lambda extra: repr(extra[4:10]),
)
def test_a_jpeg_is_read_whatever_its_metadata_hold(portrait: Image.Image, extra: bytes) -> None:
    out = BytesIO()
    portrait.save(out, "JPEG")
    data = out.getvalue()
    assert np.array_equal(pixels(data[:2] + extra + data[2:]), pixels(data))
    assert np.array_equal(pixels(data[:20] + extra + data[20:]), pixels(data))


def test_orientation_in_xmp_alone_turns_nothing(portrait: Image.Image) -> None:
    """No other reader turns a picture for it, and it often outlives the turning."""
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    for format, options in (("JPEG", {"xmp": xmp}), ("WEBP", {"xmp": xmp, "lossless": True}), ("AVIF", {"xmp": xmp})):
        out = BytesIO()
        portrait.save(out, format, **options)
        assert pixels(out.getvalue()).shape == (110, 120, 3)
    out = BytesIO()
    portrait.save(out, "PNG")
    data = out.getvalue()
    text = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)
    assert np.array_equal(pixels(data[:33] + text + data[33:]), np.asarray(portrait))


def test_orientation_as_imagemagick_writes_it_into_png_text_is_applied(portrait: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    block = exif.tobytes()
    text = b"\nexif\n%8d\n%s\n" % (len(block), block.hex().encode())
    out = BytesIO()
    portrait.save(out, "PNG")
    data = out.getvalue()
    for extra in (
        chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text)),
        chunk(b"tEXt", b"Raw profile type APP1\0" + text),
    ):
        turned = pixels(data[:33] + extra + data[33:])
        assert np.array_equal(turned, np.asarray(portrait)[::-1, ::-1])

"""Damaged metadata of WebP, AVIF, HEIF and BMP cost no pixels."""

from __future__ import annotations

import struct
from io import BytesIO

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from facesieve.decode import decode_one
from facesieve.records import Photo, Pixels, Refusal
from facesieve.settings import Settings
from facesieve.sources import as_sources

WRONG_SIZES = [0, 1, 3, 0x7FFF, 0x7FFFFFFF, 0xFFFFFFFF]


def answer(data: bytes) -> Photo | Refusal:
    return decode_one(as_sources([data])[0], Settings())


def pixels(data: bytes) -> Pixels:
    photo = answer(data)
    assert isinstance(photo, Photo), photo
    return photo.pixels


def exif(orientation: int = 1) -> bytes:
    block = Image.Exif()
    block[0x010F], block[0x0112] = "maker" * 20, orientation
    return block.tobytes()


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8))


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    out = BytesIO()
    if format == "HEIF":
        pillow_heif.from_pillow(image).save(out, **options)
    else:
        image.save(out, format, **options)
    return out.getvalue()


@pytest.mark.parametrize("size", WRONG_SIZES)
@pytest.mark.parametrize("kind", [b"EXIF", b"XMP "])
@pytest.mark.parametrize("lossless", [True, False])
def test_a_webp_chunk_of_metadata_of_a_wrong_size_costs_no_pixel(
    picture: Image.Image, lossless: bool, kind: bytes, size: int
) -> None:
    data = encoded(picture, "WEBP", lossless=lossless, exif=exif(), xmp=b"<x/>" * 30)
    at = data.index(kind, 30) + 4
    assert np.array_equal(pixels(data[:at] + struct.pack("<I", size) + data[at + 4 :]), pixels(data))


def test_a_webp_whose_last_chunk_is_damaged_is_still_turned_by_the_exif_before_it(picture: Image.Image) -> None:
    data = encoded(picture, "WEBP", lossless=True, exif=exif(orientation=6), xmp=b"<x/>")
    at = data.index(b"XMP ", 30) + 4
    found = pixels(data[:at] + struct.pack("<I", 0x7FFFFFFF) + data[at + 4 :])
    assert np.array_equal(found, np.rot90(np.asarray(picture), -1))


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_of_an_animated_webp_the_first_frame_is_the_photo(picture: Image.Image, mode: str) -> None:
    first = picture.convert(mode)
    later = [Image.new(mode, first.size, "red"), Image.new(mode, first.size, "blue")]
    data = encoded(first, "WEBP", lossless=True, save_all=True, append_images=later, exif=exif())
    assert np.array_equal(pixels(data), np.asarray(picture))


def test_a_webp_cut_short_in_its_picture_is_truncated_and_in_its_metadata_is_whole(picture: Image.Image) -> None:
    data = encoded(picture, "WEBP", lossless=True, exif=exif())
    at = data.index(b"EXIF", 30)
    cut = answer(data[: at - 200])
    assert isinstance(cut, Refusal)
    assert cut.code == "truncated"
    assert np.array_equal(pixels(data[: at + 20]), np.asarray(picture))


def test_a_webp_of_endless_chunks_before_its_picture_is_refused(picture: Image.Image) -> None:
    data = encoded(picture, "WEBP", lossless=True, exif=exif())
    refusal = answer(data[:30] + b"junk\0\0\0\0" * 20_000 + data[30:])
    assert isinstance(refusal, Refusal)
    assert refusal.code == "corrupt"


@pytest.mark.parametrize("format", ["AVIF", "HEIF"])
@pytest.mark.parametrize("damage", [b"\1xif\0\0", b"\xff\xff\xff\xff\xff\xff", b"Exif\0\0XX"])
def test_a_damaged_exif_block_in_a_box_costs_no_pixel(picture: Image.Image, format: str, damage: bytes) -> None:
    data = encoded(picture, format, exif=exif())
    at = data.index(b"Exif\0\0MM")
    assert np.array_equal(pixels(data[:at] + damage + data[at + len(damage) :]), pixels(data))


def test_an_avif_that_is_no_avif_stays_refused() -> None:
    refusal = answer(b"\0\0\0\x18ftypavif\0\0\0\0mif1avif" + b"\0\0\0\x0cmetaExif")
    assert isinstance(refusal, Refusal)
    assert refusal.code == "corrupt"


@pytest.mark.parametrize("size", [41, 127, 65_576, 0xFFFFFFFF])
def test_a_bmp_whose_header_states_a_size_that_does_not_exist_is_read(picture: Image.Image, size: int) -> None:
    data = encoded(picture, "BMP")
    assert np.array_equal(pixels(data[:14] + struct.pack("<I", size) + data[18:]), np.asarray(picture))

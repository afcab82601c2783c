"""Every format and mode comes out as upright 8-bit RGB."""

from __future__ import annotations

import subprocess
import sys
import warnings
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import Image

from facesieve.decode import decode, decode_one
from facesieve.records import Photo, Pixels, Refusal, Source
from facesieve.settings import Settings
from facesieve.sources import as_sources

SETTINGS = Settings()


def encoded(image: Image.Image, format: str, **options: object) -> bytes:
    out = BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def answer(data: bytes | Pixels, settings: Settings = SETTINGS) -> Photo | Refusal:
    return decode_one(as_sources([data])[0], settings)


def pixels(data: bytes) -> np.ndarray:
    photo = answer(data)
    assert isinstance(photo, Photo), photo
    return photo.pixels.astype(int)


def code(data: bytes | Pixels, settings: Settings = SETTINGS) -> str:
    refusal = answer(data, settings)
    assert isinstance(refusal, Refusal), refusal
    assert refusal.message.endswith(".")
    return refusal.code


@pytest.fixture(scope="module")
def portrait(astronaut: Path) -> Image.Image:
    return Image.open(astronaut).convert("RGB").crop((130, 20, 330, 180))


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 1}])
def test_jpeg_pixels_are_those_of_pillow_and_opencv(portrait: Image.Image, options: dict[str, object]) -> None:
    data = encoded(portrait, "JPEG", quality=90, **options)
    assert np.array_equal(pixels(data), np.asarray(Image.open(BytesIO(data))))
    assert np.array_equal(pixels(data), cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1])


def test_a_jpeg_with_stray_bytes_between_markers_is_still_a_photo(portrait: Image.Image) -> None:
    data = encoded(portrait, "JPEG")
    strayed = data.replace(b"\xff\xdb", b"abc\xff\xdb", 1)
    assert np.array_equal(pixels(strayed), pixels(data))


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("PNG", {}),
        ("BMP", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
    ],
)
def test_lossless_formats_give_the_pixels_that_were_saved(
    portrait: Image.Image, format: str, options: dict[str, object]
) -> None:
    photo = answer(encoded(portrait, format, **options))
    assert isinstance(photo, Photo)
    assert photo.format == format.lower()
    assert np.array_equal(photo.pixels, np.asarray(portrait))
    assert (photo.width, photo.height) == (200, 160)
    assert photo.pixels.flags.c_contiguous


def test_heif_and_avif_are_close_to_what_was_saved(portrait: Image.Image) -> None:
    out = BytesIO()
    pillow_heif.from_pillow(portrait).save(out, quality=95)
    for data in (out.getvalue(), encoded(portrait, "AVIF", quality=95)):
        assert np.abs(pixels(data) - np.asarray(portrait)).mean() < 3


def test_pillow_is_left_as_it_was_found(portrait: Image.Image, tmp_path: Path) -> None:
    """In a process of its own: other packages register themselves with Pillow where they are imported."""
    pillow_heif.from_pillow(portrait).save(tmp_path / "a.heic")
    code = f"""
from PIL import Image
from facesieve.decode import decode
from facesieve.settings import Settings
from facesieve.sources import as_sources
decoded = decode(as_sources([{str(tmp_path / "a.heic")!r}]), Settings())
print(len(decoded.photos), "HEIF" in Image.OPEN, Image.MAX_IMAGE_PIXELS)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1 False 89478485\n"


def test_grey_and_one_bit_pictures_have_three_equal_channels(portrait: Image.Image) -> None:
    grey = portrait.convert("L")
    assert np.array_equal(pixels(encoded(grey, "PNG")), np.asarray(grey)[..., None].repeat(3, 2))
    assert np.array_equal(
        pixels(encoded(grey, "JPEG")), np.asarray(Image.open(BytesIO(encoded(grey, "JPEG"))).convert("RGB"))
    )
    bits = portrait.convert("1")
    assert np.array_equal(pixels(encoded(bits, "TIFF")), 255 * np.asarray(bits)[..., None].repeat(3, 2))


def test_transparent_pixels_lie_over_white() -> None:
    rgba = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [10, 20, 30, 128]]], np.uint8)
    over_white = [[[10, 20, 30], [255, 255, 255], [132, 137, 142]]]
    for format, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})):
        assert np.abs(pixels(encoded(Image.fromarray(rgba), format, **options)) - over_white).max() <= 1
    grey = np.array([[[10, 255], [10, 0]]], np.uint8)
    assert pixels(encoded(Image.fromarray(grey), "PNG")).tolist() == [[[10] * 3, [255] * 3]]


def test_palettes_are_resolved_and_their_clear_entry_is_white() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([200, 10, 20, 1, 2, 3])
    image.putdata([0, 1])
    for format in ("PNG", "GIF", "BMP", "TIFF"):
        assert pixels(encoded(image, format)).tolist() == [[[200, 10, 20], [1, 2, 3]]]
    for format in ("PNG", "GIF"):
        assert pixels(encoded(image, format, transparency=1)).tolist() == [[[200, 10, 20], [255, 255, 255]]]


def test_a_clear_colour_of_grey_and_of_deep_grey_is_white() -> None:
    assert pixels(encoded(Image.fromarray(np.array([[7, 9]], np.uint8)), "PNG", transparency=9))[0, 1, 0] == 255
    deep = Image.fromarray(np.array([[7 * 257, 9 * 257]], np.uint16))
    assert pixels(encoded(deep, "PNG", transparency=9 * 257))[0, :, 0].tolist() == [7, 255]


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bit_grey_is_scaled_and_rounded(format: str) -> None:
    values = np.array([[0, 128, 129, 257, 32767, 32768, 65406, 65407, 65535]], np.uint16)
    assert pixels(encoded(Image.fromarray(values), format))[0, :, 1].tolist() == np.rint(values[0] / 257).tolist()


def test_sixteen_bit_colour_is_scaled_within_one_level() -> None:
    values = np.random.default_rng(5).integers(0, 65536, (9, 11, 3), np.uint16)
    for suffix in (".png", ".tiff"):
        data = cv2.imencode(suffix, values[..., ::-1])[1].tobytes()
        assert np.abs(pixels(data) - values / 257).max() <= 1


def test_float_grey_from_nought_to_one_is_scaled_and_other_ranges_are_refused() -> None:
    assert pixels(encoded(Image.fromarray(np.array([[0, 0.5, 1]], np.float32)), "TIFF"))[0, :, 2].tolist() == [
        0,
        128,
        255,
    ]
    assert code(encoded(Image.fromarray(np.array([[0, 700]], np.float32)), "TIFF")) == "unsupported_format"
    assert code(encoded(Image.fromarray(np.array([[0, np.nan]], np.float32)), "TIFF")) == "unsupported_format"
    assert code(encoded(Image.fromarray(np.array([[0, 9]], np.int32)), "TIFF")) == "unsupported_format"


def test_cielab_of_a_tiff_comes_out_as_the_colours_it_means() -> None:
    """L, a and b of red, green, blue and white of sRGB under D50, by CIE 15. TIFF stores a and b as signed bytes."""
    colours = {
        (54, 81, 70): (255, 0, 0),
        (88, -79, 81): (0, 255, 0),
        (30, 68, -112): (0, 0, 255),
        (100, 0, 0): (255,) * 3,
    }
    stored = [(round(L * 2.55), a + 128, b + 128) for L, a, b in colours]
    planes = [Image.fromarray(np.array([channel], np.uint8)) for channel in zip(*stored, strict=True)]
    data = encoded(Image.merge("LAB", planes), "TIFF")
    assert bytes((138, 81, 70)) in data, "signed"
    [row] = pixels(data)
    assert np.abs(row - np.array(list(colours.values()))).max() <= 30, (
        "at the edge of sRGB one level of b is many levels of red"
    )


def test_inks_come_out_as_the_colours_they_mean(portrait: Image.Image) -> None:
    inks = portrait.convert("CMYK")
    assert np.array_equal(pixels(encoded(inks, "TIFF")), np.asarray(inks.convert("RGB")))
    assert np.abs(pixels(encoded(inks, "JPEG", quality=98)) - np.asarray(portrait)).mean() < 3


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_of_many_frames_the_first_is_taken(format: str) -> None:
    red, blue = Image.new("RGB", (16, 16), (250, 5, 5)), Image.new("RGB", (16, 16), (5, 5, 250))
    data = encoded(red, format, save_all=True, append_images=[blue])
    assert np.abs(pixels(data) - [250, 5, 5]).max() <= 6


def test_arrays_go_through_and_are_known_by_shape_and_bytes() -> None:
    wide, tall = np.zeros((2, 3, 3), np.uint8), np.zeros((3, 2, 3), np.uint8)
    first, second = answer(wide), answer(tall)
    assert isinstance(first, Photo)
    assert isinstance(second, Photo)
    assert first.format == "array"
    assert np.array_equal(first.pixels, wide)
    assert first.picture_id != second.picture_id
    assert len(first.picture_id) == 64
    assert answer(wide[:, ::-1]).picture_id == first.picture_id


@pytest.mark.parametrize(
    "wrong",
    [np.zeros((2, 3), np.uint8), np.zeros((2, 3, 4), np.uint8), np.zeros((2, 3, 3)), np.zeros((0, 3, 3), np.uint8)],
)
def test_arrays_that_are_no_pictures_are_refused(wrong: Pixels) -> None:
    assert code(wrong) == "bad_pixels"


def test_none_one_and_many_sources_keep_their_order_and_balance(portrait: Image.Image) -> None:
    assert decode([], SETTINGS).results == []
    sources = as_sources([b"", encoded(portrait, "PNG"), b"words", encoded(portrait, "JPEG")])
    decoded = decode(sources, SETTINGS)
    assert [answer.source for answer in decoded.results] == sources
    assert [photo.source.name for photo in decoded.photos] == ["<bytes 1>", "<bytes 3>"]
    refusals = [answer for answer in decoded.results if isinstance(answer, Refusal)]
    assert [(refusal.source.name, refusal.code) for refusal in refusals] == [
        ("<bytes 0>", "empty"),
        ("<bytes 2>", "not_an_image"),
    ]


def test_pillow_warnings_reach_neither_stderr_nor_the_hosts_filters(
    portrait: Image.Image, recwarn: pytest.WarningsRecorder
) -> None:
    broken_apng = encoded(portrait, "PNG", save_all=True, append_images=[portrait.rotate(9)])
    at = broken_apng.index(b"acTL")
    broken_apng = broken_apng[: at + 4] + bytes(8) + broken_apng[at + 12 :]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert isinstance(answer(_with_fixed_crc(broken_apng, at)), Photo)
        with pytest.raises(UserWarning):
            warnings.warn("the host's own", stacklevel=1)
    assert not recwarn.list


def _with_fixed_crc(data: bytes, at: int) -> bytes:
    import zlib

    return data[: at + 12] + zlib.crc32(data[at : at + 12]).to_bytes(4, "big") + data[at + 16 :]


def test_a_source_whose_opening_fails_is_refused_without_its_path() -> None:
    def gone() -> BytesIO:
        raise FileNotFoundError("/secret/place.jpg")

    refusal = decode_one(Source("x", open=gone), SETTINGS)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "unreadable"
    assert "secret" not in refusal.message

"""Wide-gamut pictures come out as the sRGB colours they mean; sRGB pictures are not touched."""

from __future__ import annotations

import struct
from io import BytesIO

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

from facesieve.decode import decode_one
from facesieve.decode.colour import to_srgb
from facesieve.records import Photo, Pixels
from facesieve.settings import Settings
from facesieve.sources import as_sources

SRGB = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
DISPLAY_P3 = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
ADOBE_RGB = ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446))
WHITE = (0.9642, 1.0, 0.8249)
SRGB_CURVE = b"para\0\0\0\0\0\3\0\0" + struct.pack(
    ">5i", *(round(v * 65536) for v in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
)


def gamma(value: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(value * 256)) + bytes(2)


def profile(primaries: tuple[tuple[float, ...], ...], curve: bytes = SRGB_CURVE) -> bytes:
    """An ICC profile of version 4 with three primaries and one tone curve."""
    colours = [b"XYZ " + bytes(4) + struct.pack(">3i", *(round(v * 65536) for v in xyz)) for xyz in (*primaries, WHITE)]
    parts = dict(zip((b"rXYZ", b"gXYZ", b"bXYZ", b"wtpt"), colours, strict=True))
    parts |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    at, table, body = 132 + 12 * len(parts), b"", b""
    for name, part in parts.items():
        table += name + struct.pack(">II", at + len(body), len(part))
        body += part
    head = bytearray(128)
    head[0:4] = struct.pack(">I", at + len(body))
    head[8:12], head[12:24], head[36:40] = b"\x04\x30\0\0", b"mntrRGB XYZ ", b"acsp"
    head[68:80] = struct.pack(">3i", *(round(v * 65536) for v in WHITE))
    return bytes(head) + struct.pack(">I", len(parts)) + table + body


def encoded(image: Image.Image, format: str, icc: bytes) -> bytes:
    out = BytesIO()
    options: dict[str, object] = {"JPEG": {"quality": 98, "subsampling": 0}, "WEBP": {"lossless": True}}.get(format, {})
    if format == "HEIF":
        pillow_heif.from_pillow(image).save(out, quality=100, chroma=444, icc_profile=icc)
    else:
        image.save(out, format, icc_profile=icc, **options)
    return out.getvalue()


def pixels(data: bytes, **given: bool) -> Pixels:
    photo = decode_one(as_sources([data])[0], Settings(**given))
    assert isinstance(photo, Photo), photo
    return photo.pixels


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_a_display_p3_picture_comes_out_in_srgb(format: str) -> None:
    """(200, 120, 90) in Display P3 is (211, 118, 85) in sRGB, by the matrices of CSS Color 4, section 10."""
    data = encoded(Image.new("RGB", (64, 64), (200, 120, 90)), format, profile(DISPLAY_P3))
    tolerance = 5 if format in ("AVIF", "HEIF") else 2
    assert np.abs(pixels(data)[32, 32].astype(int) - expected((200, 120, 90), DISPLAY_P3)).max() <= tolerance
    assert np.abs(pixels(data, colour_profiles=False)[32, 32].astype(int) - (200, 120, 90)).max() <= tolerance


def expected(rgb: tuple[int, ...], primaries: tuple[tuple[float, ...], ...]) -> np.ndarray:
    """The sRGB levels of a colour, reckoned with matrices."""
    v = np.array(rgb) / 255
    light = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    light = np.linalg.inv(np.array(SRGB).T) @ np.array(primaries).T @ light
    light = light.clip(0, 1)
    return np.rint(255 * np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)).astype(int)


def test_adobe_rgb_is_converted_too() -> None:
    data = encoded(Image.new("RGB", (8, 8), (128, 128, 128)), "PNG", profile(ADOBE_RGB, gamma(2.2)))
    assert np.abs(pixels(data)[0, 0].astype(int) - 128).max() <= 1
    red = encoded(Image.new("RGB", (8, 8), (180, 60, 60)), "PNG", profile(ADOBE_RGB, gamma(2.2)))
    assert pixels(red)[0, 0, 0] > 200


@pytest.mark.parametrize(
    "icc",
    [
        profile(SRGB),
        profile(SRGB, gamma(2.2)),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        b"",
        b"no profile at all",
        profile(DISPLAY_P3)[:200],
        profile(DISPLAY_P3)[:128] + b"\xff\xff\xff\xff" + b"x" * 500,
        profile(DISPLAY_P3)[:16] + b"CMYK" + profile(DISPLAY_P3)[20:],
        profile(DISPLAY_P3) + bytes(1 << 22),
        profile((DISPLAY_P3[0], DISPLAY_P3[1], ADOBE_RGB[0])),
        profile(DISPLAY_P3, gamma(9)),
        profile(DISPLAY_P3, b"curv" + bytes(8)),
    ],
    ids=range(12),
)
def test_srgb_and_damaged_profiles_change_nothing(icc: bytes) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (300, 5, 3), np.uint8)
    assert to_srgb(levels, icc) is levels


def test_tall_pictures_are_converted_whole() -> None:
    column = np.repeat(np.arange(256, dtype=np.uint8), 3)[:, None, None].repeat(3, 2)
    converted = to_srgb(column, profile(DISPLAY_P3))
    assert converted.shape == (768, 1, 3)
    assert np.abs(converted.astype(int) - column).max() <= 1


def parametric(kind: int, *numbers: float) -> bytes:
    return b"para" + bytes(4) + struct.pack(">HH", kind, 0) + struct.pack(f">{len(numbers)}i", *map(round, numbers))


@pytest.mark.parametrize(
    "curve",
    [
        parametric(0, -(2**31)),
        parametric(0, 2**31 - 1),
        parametric(1, 2**31 - 1, 2**31 - 1, 2**31 - 1),
        parametric(3, -(2**31), 1, 1, 1, 1),
        b"para",
        b"curv",
        b"curv" + bytes(4) + b"\xff\xff\xff\xff",
    ],
)
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_tone_curve_out_of_all_bounds_leaves_the_picture_as_it_is(curve: bytes, format: str) -> None:
    image = Image.linear_gradient("L").convert("RGB")
    odd = pixels(encoded(image, format, profile(DISPLAY_P3, curve)))
    assert np.array_equal(odd, pixels(encoded(image, format, b"")))

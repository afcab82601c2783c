"""A portrait stored in eight ways is one portrait."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from facesieve.decode import decode_one
from facesieve.decode.upright import upright
from facesieve.records import Photo, Pixels
from facesieve.settings import Settings
from facesieve.sources import as_sources

# How the camera stores a scene so that the tag brings it back: the inverse of what TIFF 6.0 asks of the viewer.
STORE = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a, -1),
}


@pytest.fixture(scope="module")
def scene(astronaut: Path) -> Pixels:
    return np.asarray(Image.open(astronaut).convert("RGB").crop((128, 0, 336, 160)))


def decoded(data: bytes) -> Pixels:
    photo = decode_one(as_sources([data])[0], Settings())
    assert isinstance(photo, Photo), photo
    return photo.pixels


def stored(scene: Pixels, tag: int, format: str, **options: object) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = tag
    out = BytesIO()
    Image.fromarray(np.ascontiguousarray(STORE[tag](scene))).save(out, format, exif=exif, **options)
    return out.getvalue()


@pytest.mark.parametrize("tag", range(1, 9))
@pytest.mark.parametrize(
    ("format", "options"),
    [("PNG", {}), ("WEBP", {"lossless": True}), ("TIFF", {}), ("TIFF", {"compression": "tiff_lzw"})],
)
def test_lossless_pictures_come_out_upright(scene: Pixels, tag: int, format: str, options: dict[str, object]) -> None:
    assert np.array_equal(decoded(stored(scene, tag, format, **options)), scene)


@pytest.mark.parametrize("tag", range(1, 9))
def test_jpegs_come_out_upright(scene: Pixels, tag: int) -> None:
    difference = decoded(stored(scene, tag, "JPEG", quality=95, subsampling=0)).astype(int) - scene
    assert np.abs(difference).mean() < 2


@pytest.mark.parametrize("tag", range(1, 9))
def test_avif_and_heif_are_turned_once(scene: Pixels, tag: int) -> None:
    assert np.abs(decoded(stored(scene, tag, "AVIF", quality=95)).astype(int) - scene).mean() < 4
    exif = Image.Exif()
    exif[0x0112] = tag
    image = pillow_heif.from_pillow(Image.fromarray(np.ascontiguousarray(STORE[tag](scene))))
    out = BytesIO()
    image.save(out, quality=95, exif=exif.tobytes())
    assert np.abs(decoded(out.getvalue()).astype(int) - scene).mean() < 4


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (3, 5)])
@pytest.mark.parametrize("tag", range(1, 9))
def test_thin_pictures_are_turned_too(shape: tuple[int, int], tag: int) -> None:
    scene = np.arange(shape[0] * shape[1] * 3, dtype=np.uint8).reshape(*shape, 3)
    turned = upright(np.ascontiguousarray(STORE[tag](scene)), tag)
    assert np.array_equal(turned, scene)
    assert turned.flags.c_contiguous


@pytest.mark.parametrize("tag", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_ignored(scene: Pixels, tag: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = tag
    out = BytesIO()
    Image.fromarray(scene).save(out, "PNG", exif=exif)
    assert np.array_equal(decoded(out.getvalue()), scene)


@pytest.mark.parametrize(
    "broken", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff12"]
)
def test_broken_exif_costs_nothing(scene: Pixels, broken: bytes) -> None:
    out = BytesIO()
    Image.fromarray(scene).save(out, "JPEG", exif=broken)
    assert decoded(out.getvalue()).shape == scene.shape

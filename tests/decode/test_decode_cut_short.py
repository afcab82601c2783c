"""A file cut short is either the whole picture or refused; garbled bytes are a photo or a code, never an exception."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from facesieve.decode import RefusalCode, decode_one
from facesieve.records import Photo, Refusal
from facesieve.settings import Settings
from facesieve.sources import as_sources

SETTINGS = Settings(max_pixels=4_000_000)
KINDS = {
    "jpeg": ("JPEG", {}),
    "progressive jpeg": ("JPEG", {"progressive": True}),
    "png": ("PNG", {}),
    "webp": ("WEBP", {}),
    "lossless webp": ("WEBP", {"lossless": True}),
    "gif": ("GIF", {}),
    "bmp": ("BMP", {}),
    "tiff": ("TIFF", {}),
    "lzw tiff": ("TIFF", {"compression": "tiff_lzw"}),
    "jpeg tiff": ("TIFF", {"compression": "jpeg"}),
    "avif": ("AVIF", {}),
}


@pytest.fixture(scope="module")
def files(astronaut: Path) -> dict[str, bytes]:
    portrait = Image.open(astronaut).convert("RGB").crop((170, 30, 290, 140))
    made = {}
    for kind, (format, options) in KINDS.items():
        out = BytesIO()
        portrait.save(out, format, **options)
        made[kind] = out.getvalue()
    out = BytesIO()
    pillow_heif.from_pillow(portrait).save(out, quality=80)
    return {**made, "heif": out.getvalue()}


def answer(data: bytes) -> Photo | Refusal:
    result = decode_one(as_sources([data])[0], SETTINGS)
    assert isinstance(result, Photo) or result.code in set(RefusalCode)
    return result


@pytest.mark.parametrize("kind", [*KINDS, "heif"])
def test_cut_anywhere_it_is_whole_or_refused(files: dict[str, bytes], kind: str) -> None:
    data = files[kind]
    whole = answer(data)
    assert isinstance(whole, Photo)
    refused = 0
    for length in {*range(0, len(data), max(len(data) // 60, 1)), *range(len(data) - 24, len(data))}:
        cut = answer(data[:length])
        if isinstance(cut, Photo):
            assert np.array_equal(cut.pixels, whole.pixels), f"{kind} cut at {length} of {len(data)}"
        refused += isinstance(cut, Refusal)
    assert refused > 10


@pytest.mark.parametrize("kind", ["jpeg", "progressive jpeg", "png", "webp", "bmp", "heif"])
def test_cut_in_the_middle_it_is_called_truncated(files: dict[str, bytes], kind: str) -> None:
    cut = answer(files[kind][: len(files[kind]) * 2 // 3])
    assert isinstance(cut, Refusal)
    assert cut.code == "truncated"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_garbled_pictures_are_photos_or_codes(files: dict[str, bytes], data: st.DataObject) -> None:
    original = files[data.draw(st.sampled_from(sorted(files)))]
    garbled = bytearray(original)
    for at in data.draw(st.lists(st.integers(0, min(len(original) - 1, 2000)), min_size=1, max_size=8)):
        garbled[at] = data.draw(st.integers(0, 255))
    answer(bytes(garbled[: data.draw(st.integers(len(garbled) // 2, len(garbled)))]))


@settings(max_examples=100, deadline=None)
@given(
    magic=st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"II*\0", b"MM\0*"]),
    tail=st.binary(max_size=200),
)
def test_any_bytes_at_all_are_photos_or_codes(magic: bytes, tail: bytes) -> None:
    answer(magic + tail)

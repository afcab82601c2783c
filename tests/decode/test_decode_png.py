"""PNG files whose chunks disagree with their pixels: what other readers ignore is ignored, missing rows are told."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image

from facesieve.decode import decode_one
from facesieve.records import Photo, Refusal
from facesieve.settings import Settings
from facesieve.sources import as_sources

NOISE = np.random.default_rng(3).integers(1, 256, (33, 20, 3), np.uint8)
EXIF = b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"  # orientation 6


def decoded(data: bytes) -> Photo | Refusal:
    return decode_one(as_sources([data])[0], Settings())


def chunk(kind: bytes, body: bytes, sum_: int | None = None) -> bytes:
    return (
        struct.pack(">I", len(body))
        + kind
        + body
        + struct.pack(">I", zlib.crc32(kind + body) if sum_ is None else sum_)
    )


def png(pixels: np.ndarray, **options: object) -> bytes:
    out = BytesIO()
    Image.fromarray(pixels).save(out, "PNG", **options)
    return out.getvalue()


def with_chunk(data: bytes, added: bytes) -> bytes:
    """The PNG with a chunk after its header."""
    return data[:33] + added + data[33:]


def with_rows(data: bytes, rows: int, height: int) -> bytes:
    """A PNG that holds the first `rows` rows of pixels, and declares `height`."""
    at = data.index(b"IDAT")
    size = struct.unpack(">I", data[at - 4 : at])[0]
    raw = zlib.decompress(data[at + 4 : at + 4 + size])
    packed = zlib.compress(raw[: len(raw) * rows // height])
    return data[: at - 4] + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "I;16", "RGBA", "LA"])
def test_a_png_whose_data_ends_before_its_last_row_is_truncated(mode: str) -> None:
    if mode == "I;16":
        data = png(NOISE[..., 0].astype(np.uint16) * 257)
    else:
        out = BytesIO()
        Image.fromarray(NOISE).convert(mode).save(out, "PNG")
        data = out.getvalue()
    assert isinstance(decoded(data), Photo)
    assert isinstance(decoded(with_rows(data, 33, 33)), Photo)
    for rows in (0, 20, 32):
        short = decoded(with_rows(data, rows, 33))
        assert isinstance(short, Refusal) and short.code == "truncated", rows


@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (33, 20)])
def test_a_black_png_is_a_photo(shape: tuple[int, int]) -> None:
    for pixels in (np.zeros((*shape, 3), np.uint8), np.zeros(shape, np.uint8), np.zeros(shape, np.uint16)):
        answer = decoded(png(pixels))
        assert isinstance(answer, Photo) and not answer.pixels.any()


def test_an_interlaced_png_without_its_last_pass_is_truncated() -> None:
    done, data = cv2.imencode(".png", NOISE, [cv2.IMWRITE_PNG_STRATEGY, 0])
    assert done
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    rows = [b"\0" + row.tobytes() for x, y, dx, dy in passes for row in NOISE[y::dy, x::dx] if row.size]
    header = bytearray(data.tobytes()[16:29])
    header[8:13] = b"\x08\2\0\0\1"
    for count, expected in ((len(rows), Photo), (len(rows) - 16, Refusal)):
        body = chunk(b"IDAT", zlib.compress(b"".join(rows[:count])))
        answer = decoded(data.tobytes()[:8] + chunk(b"IHDR", bytes(header)) + body + chunk(b"IEND", b""))
        assert isinstance(answer, expected)
        if isinstance(answer, Photo):
            assert np.array_equal(answer.pixels, NOISE)


def test_a_suggested_palette_in_a_colour_png_is_ignored_even_if_it_is_damaged() -> None:
    for palette in (b"\1\2\3" * 4, b"\1\2", b""):
        for sum_ in (None, 1):
            answer = decoded(with_chunk(png(NOISE), chunk(b"PLTE", palette, sum_)))
            assert isinstance(answer, Photo) and np.array_equal(answer.pixels, NOISE)


@pytest.mark.parametrize("sum_", [None, 1])
def test_an_exif_chunk_counts_only_if_it_is_whole_and_begins_as_the_standard_says(sum_: int | None) -> None:
    upright = decoded(with_chunk(png(NOISE), chunk(b"eXIf", EXIF, sum_)))
    assert isinstance(upright, Photo) and upright.height == (20 if sum_ is None else 33)
    prefixed = decoded(with_chunk(png(NOISE), chunk(b"eXIf", b"Exif\0\0" + EXIF, sum_)))
    assert isinstance(prefixed, Photo) and prefixed.height == 33

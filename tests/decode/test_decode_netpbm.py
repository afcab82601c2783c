"""PBM, PGM and PPM in text and in bytes, and JPEG 2000."""

from __future__ import annotations

from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image

from facesieve.decode import decode_one
from facesieve.records import Photo, Pixels, Refusal
from facesieve.settings import Settings
from facesieve.sources import as_sources


def answer(data: bytes, **limits: int) -> Photo | Refusal:
    return decode_one(as_sources([data])[0], Settings(**limits))


def pixels(data: bytes) -> Pixels:
    photo = answer(data)
    assert isinstance(photo, Photo), photo
    return photo.pixels


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"P6\n2 1\n255\n\1\2\3\4\5\6", [[[1, 2, 3], [4, 5, 6]]]),
        (b"P6 # a comment\n2\t1 # another\n255 \1\2\3\4\5\6", [[[1, 2, 3], [4, 5, 6]]]),
        (b"P5\n2 1\n255\n\1\2", [[[1] * 3, [2] * 3]]),
        (b"P5\n2 1\n15\n\0\x0f", [[[0] * 3, [255] * 3]]),
        (b"P5\n2 1\n65535\n\x80\0\xff\xff", [[[128] * 3, [255] * 3]]),
        (b"P3\n1 2\n255\n1 2 3\n4 5 6\n", [[[1, 2, 3]], [[4, 5, 6]]]),
        (b"P2\n2 1\n# why not\n100 0 100", [[[0] * 3, [255] * 3]]),
        (b"P1\n3 1\n0 1 0", [[[255] * 3, [0] * 3, [255] * 3]]),
        (b"P1\n3 1\n010", [[[255] * 3, [0] * 3, [255] * 3]]),
        (b"P4\n3 2\n\x40\xa0", [[[255] * 3, [0] * 3, [255] * 3], [[0] * 3, [255] * 3, [0] * 3]]),
    ],
)
def test_all_kinds_come_out_as_rgb(data: bytes, expected: list[object]) -> None:
    assert pixels(data).tolist() == expected


@pytest.mark.parametrize("suffix", [".ppm", ".pgm"])
def test_pixels_are_those_of_opencv(suffix: str) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (13, 17, 3), np.uint8)
    data = cv2.imencode(suffix, levels if suffix == ".ppm" else levels[..., 0])[1].tobytes()
    theirs = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(pixels(data), theirs[..., ::-1])


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"P6\n2 1\n255\n\1\2\3", "truncated"),
        (b"P3\n2 1\n255\n1 2 3", "truncated"),
        (b"P4\n9 9\n", "truncated"),
        (b"P5\n0 1\n255\n", "corrupt"),
        (b"P5\n1 1\n0\n1", "corrupt"),
        (b"P5\n-1 1\n255\n1", "corrupt"),
        (b"P5\n1 1\n70000\n11", "corrupt"),
        (b"P2\n1 1\n255\n", "truncated"),
        (b"P6\n" + b"#\n" * 50_000, "corrupt"),
        (b"P6\n99999 99999\n255\n", "too_many_pixels"),
        (b"P3\n9 9\n255\n" + b"#\n" * 5000, "corrupt"),
        (b"P7\nWIDTH 1\n", "unsupported_format"),
    ],
)
def test_what_is_not_whole_is_refused(data: bytes, code: str) -> None:
    refusal = answer(data)
    assert isinstance(refusal, Refusal)
    assert refusal.code == code


@pytest.mark.parametrize("options", [{}, {"no_jp2": True}], ids=["jp2", "codestream"])
def test_jpeg_2000_is_read_and_its_size_is_known_before(options: dict[str, bool]) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    out = BytesIO()
    Image.fromarray(levels).save(out, "JPEG2000", irreversible=False, **options)
    assert np.array_equal(pixels(out.getvalue()), levels)
    refusal = answer(out.getvalue(), max_pixels=2399)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.width, refusal.height, refusal.format) == ("too_many_pixels", 60, 40, "jpeg2000")
    cut = answer(out.getvalue()[:-2000])
    assert isinstance(cut, Refusal)

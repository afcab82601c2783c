"""PBM, PGM and PPM in text and in bytes, PAM, PFM, and JPEG 2000."""

from __future__ import annotations

import struct
from io import BytesIO

import cv2
import numpy as np
import pytest
from PIL import Image

from facesieve.decode import decode_one
from facesieve.records import Photo, Pixels, Refusal
from facesieve.settings import Settings
from facesieve.sources import as_sources

PAM = b"P7\nWIDTH %d\n# a comment\nHEIGHT %d\nTUPLTYPE any\nDEPTH %d\nMAXVAL %d\nENDHDR\n"


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
        (PAM % (2, 1, 3, 255) + b"\1\2\3\4\5\6", [[[1, 2, 3], [4, 5, 6]]]),
        (PAM % (2, 1, 1, 1) + b"\0\1", [[[0] * 3, [255] * 3]]),
        (PAM % (1, 1, 1, 65535) + b"\x80\0", [[[128] * 3]]),
        (PAM % (2, 1, 2, 255) + b"\7\xff\7\0", [[[7] * 3, [255] * 3]]),
        (PAM % (2, 1, 4, 255) + b"\1\2\3\xff\1\2\3\0", [[[1, 2, 3], [255] * 3]]),
        (b"Pf\n1 2\n1.0\n" + struct.pack(">2f", 0.5, 1), [[[255] * 3], [[128] * 3]]),
        (b"PF\n1 2\n-1.0\n" + struct.pack("<6f", 0, 0.2, 0.4, 0.6, 0.8, 1), [[[153, 204, 255]], [[0, 51, 102]]]),
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
        (b"P7\nWIDTH 1\n", "corrupt"),
        (b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 5\nMAXVAL 255\nENDHDR\n12345", "corrupt"),
        (b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 1\nENDHDR\n1", "corrupt"),
        (b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nENDHDR\n1234567", "truncated"),
        (b"P7\nWIDTH 99999\nHEIGHT 99999\nDEPTH 1\nMAXVAL 255\nENDHDR\n", "too_many_pixels"),
        (b"P7\n" + b"# x\n" * 50_000 + b"ENDHDR\n", "corrupt"),
        (b"Pf\n2 1\n-1.0\n\0\0\0\0", "truncated"),
        (b"Pf\n1 1\n1.0\n\x40\0\0\0", "unsupported_format"),
        (b"Pf\n1 1\n1.0\n\x7f\xc0\0\0", "unsupported_format"),
        (b"PF\n1 1\nlarge\n" + bytes(12), "corrupt"),
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

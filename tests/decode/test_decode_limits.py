"""Limits are applied to the header before any decoder runs; other formats never reach a decoder."""

from __future__ import annotations

import re
import struct
import time
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facesieve.decode import SUPPORTED, RefusalCode, decode_one
from facesieve.decode.cost import check_cost
from facesieve.decode.formats import sniff
from facesieve.decode.header import declared_size
from facesieve.errors import Refused
from facesieve.records import Photo, Refusal, Source
from facesieve.settings import Settings
from facesieve.sources import as_sources

DOCS = Path(__file__).resolve().parents[2] / "docs" / "pictures.md"


def refused(data: bytes, **limits: int) -> Refusal:
    refusal = decode_one(as_sources([data])[0], Settings(**limits))
    assert isinstance(refusal, Refusal), refusal
    return refusal


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_bomb(width: int, height: int) -> bytes:
    """A valid PNG of one colour: 12,000 x 12,000 pixels in 140 kB."""
    body = zlib.compressobj(9)
    rows = b"".join(body.compress(bytes(width + 1)) for _ in range(height)) + body.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_bomb_is_refused_by_its_header_in_no_time() -> None:
    bomb = png_bomb(12_000, 12_000)
    assert len(bomb) < 200_000
    began = time.process_time()
    refusal = refused(bomb)
    assert time.process_time() - began < 0.05
    assert (refusal.code, refusal.width, refusal.height, refusal.format) == ("too_many_pixels", 12_000, 12_000, "png")
    assert len(refusal.picture_id) == 64


@pytest.mark.parametrize("first", [b"CgBI", b"abCd"])
def test_a_png_whose_header_is_not_first_is_corrupt_and_its_first_chunk_is_not_taken_for_a_size(first: bytes) -> None:
    for sides in (struct.pack(">II", 200, 200), struct.pack(">II", 2**31, 2**31)):
        png = png_bomb(100, 100)
        png = png[:8] + chunk(first, sides) + png[8:]
        refusal = refused(png)
        assert (refusal.code, refusal.width or 0, refusal.height or 0) == ("corrupt", 0, 0)
        assert refusal.message == "The PNG does not begin with its header."


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "gif", "bmp", "tiff", "avif"])
def test_limits_hold_for_every_format_and_at_the_limit_itself(format: str) -> None:
    out = BytesIO()
    Image.new("RGB", (40, 20)).save(out, format)
    data = out.getvalue()
    assert refused(data, max_pixels=799).code == "too_many_pixels"
    assert refused(data, max_side=39).code == "too_long_side"
    assert refused(data, max_file_bytes=len(data) - 1).code == "too_many_bytes"
    at_limits = Settings(max_pixels=800, max_side=40, max_file_bytes=len(data))
    assert isinstance(decode_one(as_sources([data])[0], at_limits), Photo)


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("jpeg", {}),
        ("jpeg", {"progressive": True}),
        ("png", {}),
        ("gif", {}),
        ("bmp", {}),
        ("webp", {}),
        ("webp", {"lossless": True}),
        ("webp", {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0"}),
        ("avif", {}),
        ("tiff", {}),
        ("tiff", {"compression": "tiff_lzw"}),
    ],
)
@pytest.mark.parametrize("size", [(1, 1), (41, 20), (300, 777)])
def test_headers_are_read_without_a_decoder(format: str, options: dict[str, object], size: tuple[int, int]) -> None:
    out = BytesIO()
    Image.new("RGB", size).save(out, format, **options)
    assert declared_size(format, out.getvalue()) == size


def test_limits_hold_for_arrays() -> None:
    source = as_sources([np.zeros((20, 40, 3), np.uint8)])[0]
    for limits, code in (({"max_pixels": 799}, "too_many_pixels"), ({"max_side": 39}, "too_long_side")):
        refusal = decode_one(source, Settings(**limits))
        assert isinstance(refusal, Refusal)
        assert refusal.code == code


def test_an_endless_file_is_read_up_to_the_limit_and_one_byte() -> None:
    class Endless(BytesIO):
        asked = 0

        def read(self, size: int | None = -1) -> bytes:
            assert size
            given = min(size, 7)
            Endless.asked += given
            return b"x" * given

    refusal = decode_one(Source("x", open=Endless), Settings(max_file_bytes=100))
    assert isinstance(refusal, Refusal)
    assert refusal.code == "too_many_bytes"
    assert Endless.asked == 101


def test_a_reader_that_returns_more_than_it_is_asked_for_and_never_ends_is_refused() -> None:
    class Careless(BytesIO):
        times = 0

        def read(self, size: int | None = -1) -> bytes:
            Careless.times += 1
            assert Careless.times < 10
            return b"x" * 30

    refusal = decode_one(Source("x", open=Careless), Settings(max_file_bytes=100))
    assert isinstance(refusal, Refusal)
    assert refusal.code == "too_many_bytes"


def test_a_jpeg_of_endless_scans_is_refused() -> None:
    out = BytesIO()
    Image.new("RGB", (64, 64)).save(out, "JPEG", progressive=True)
    data = out.getvalue()
    scans = data.count(b"\xff\xda")
    assert refused(data, max_jpeg_scans=scans - 1).code == "too_many_scans"
    assert isinstance(decode_one(as_sources([data])[0], Settings(max_jpeg_scans=scans)), Photo)


@pytest.mark.parametrize(
    "data",
    [
        b"%PDF-1.7\n",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>",
        b"\0\0\1\0\1\0\x10\x10",
        b"8BPS\0\1",
        b"\0\0\0\x18ftypisom\0\0\0\0isommp42",
    ],
)
def test_other_formats_never_reach_a_decoder(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("facesieve.decode.picture._pixels", lambda *_: pytest.fail("a decoder was called"))
    assert refused(data).code == "unsupported_format"


@pytest.mark.parametrize("data", [b"x", b"hello, world", bytes(1000), b"\xff\xd8", b"RIFF\0\0\0\0WAVE"])
def test_a_file_that_is_no_picture_is_not_an_image(data: bytes) -> None:
    assert refused(data).code == "not_an_image"


def test_a_name_does_not_matter_only_the_content_does(tmp_path: Path) -> None:
    file = tmp_path / "liar.gif"
    Image.new("RGB", (4, 4)).save(file, "PNG")
    photo = decode_one(as_sources([file])[0], Settings())
    assert isinstance(photo, Photo)
    assert photo.format == "png"


def test_no_bytes_are_refused_as_empty() -> None:
    with pytest.raises(Refused) as caught:
        sniff(b"")
    assert caught.value.code == "empty"


@pytest.mark.parametrize("error", [RecursionError("deep"), struct.error("short"), KeyError("k")])
def test_whatever_a_decoder_raises_is_a_refusal(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr("facesieve.decode.picture.decode_still", fails)
    assert refused(b"GIF89a").code == "corrupt"


def test_a_decoder_without_memory_is_no_damage_to_the_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("facesieve.decode.picture.decode_still", fails)
    assert refused(b"GIF89a").code == "out_of_memory"


def test_reading_a_file_without_memory_is_no_fault_of_the_file() -> None:
    def fails() -> BytesIO:
        raise MemoryError

    refusal = decode_one(Source("x", open=fails), Settings())
    assert isinstance(refusal, Refusal)
    assert refusal.code == "out_of_memory"


def flat_webp(width: int, height: int) -> bytes:
    """A lossless WebP of one colour: its codes are empty, so that 38 bytes make any number of pixels."""
    body = b"\x2f" + ((width - 1) | (height - 1) << 14).to_bytes(4, "little") + bytes(13)
    return b"RIFF" + struct.pack("<I", len(body) + 12) + b"WEBPVP8L" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("padding", [0, 1 << 20])
def test_a_few_bytes_that_claim_a_huge_picture_are_refused_before_decoding(padding: int) -> None:
    refusal = refused(flat_webp(10_000, 10_000) + bytes(padding))
    assert (refusal.code, refusal.width, refusal.height) == ("too_many_pixels", 10_000, 10_000)
    assert "max_decode_bytes" in refusal.message
    refusal = refused(flat_webp(6_000, 6_000), max_decode_bytes=10**10)
    assert refusal.code == "too_many_pixels"
    assert "max_expansion" in refusal.message


def test_a_phones_108_and_200_megapixels_are_within_the_limits_and_not_every_format_of_them() -> None:
    settings = Settings()
    for size in ((12_000, 9_000), (12_032, 9_024), (16_320, 12_240)):
        check_cost("jpeg", size, 20_000_000, settings)
    with pytest.raises(Refused) as caught:
        check_cost("webp", (12_000, 9_000), 20_000_000, settings)
    assert caught.value.code == "too_many_pixels"


def test_a_gif_of_endless_blocks_in_comments_is_refused() -> None:
    file = BytesIO()
    Image.new("L", (8, 8)).save(file, "GIF")
    at = file.getvalue().index(b",")
    many = b"".join((file.getvalue()[:at], (b"!\xfe" + b"\1a" * 1000 + b"\0") * 1100, file.getvalue()[at:]))
    few = b"".join((file.getvalue()[:at], (b"!\xfe" + b"\1a" * 1000 + b"\0") * 9, file.getvalue()[at:]))
    assert refused(many).code == "corrupt"
    assert isinstance(decode_one(as_sources([few])[0], Settings()), Photo)


@pytest.mark.parametrize("bits", [4, 8])
def test_a_run_length_bmp_of_many_pixels_is_refused_because_its_decoder_is_slow(bits: int) -> None:
    def bmp(side: int) -> bytes:
        sizes = struct.pack("<IiiHHIIiiII", 40, side, side, 1, bits, 2 if bits == 4 else 1, 0, 0, 0, 16, 0)
        return b"BM" + struct.pack("<IHHI", 0, 0, 0, 118) + sizes + bytes(64) + b"\1\0\0\0" * side + b"\0\1"

    assert refused(bmp(4200)).code == "unsupported_format"
    assert isinstance(decode_one(as_sources([bmp(42)])[0], Settings()), Photo)


def test_a_jpeg_that_only_pillow_reads_needs_the_memory_of_pillow() -> None:
    file = BytesIO()
    Image.new("RGB", (64, 64), (9, 99, 9)).save(file, "JPEG")
    whole, limits = file.getvalue(), Settings(max_decode_bytes=64 * 64 * 4)
    odd = whole[:-2] + b"\0\0stray" + whole[-2:]
    assert isinstance(decode_one(as_sources([whole])[0], limits), Photo)
    assert isinstance(decode_one(as_sources([odd])[0], Settings()), Photo)
    assert refused(odd, max_decode_bytes=64 * 64 * 4).code == "too_many_pixels"


def test_an_interrupt_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("facesieve.decode.picture.decode_still", interrupted)
    with pytest.raises(KeyboardInterrupt):
        refused(b"GIF89a")


def test_the_documents_list_every_refusal_code_and_format() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert dict(re.findall(r"^\| `(\w+)` \| (.+?) \|$", text, re.M)) == {code: code.sentence for code in RefusalCode}
    assert [line.lower() for line in re.findall(r"^- \*\*(\w+)\*\*", text, re.M)] == list(SUPPORTED)

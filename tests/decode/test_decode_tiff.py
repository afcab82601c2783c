"""A TIFF costs what its header says: tiles, strips and the JPEG inside are counted before any decoder runs."""

from __future__ import annotations

import struct
import time
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from facesieve.decode import decode_one
from facesieve.records import Photo, Refusal
from facesieve.settings import Settings
from facesieve.sources import as_sources

LONG, SLONG = 4, 9
Entry = tuple[int, int, int, int]  # tag, type, number of values, value


def answer(data: bytes, **given: int) -> Photo | Refusal:
    return decode_one(as_sources([data])[0], Settings(**given))


def code(data: bytes, **given: int) -> str:
    """The code of the refusal, told without much work; "" for a photo."""
    began = time.process_time()
    found = answer(data, **given)
    if isinstance(found, Photo):
        return ""
    assert time.process_time() - began < 0.2
    return found.code


def tiff(entries: list[Entry], pieces: list[bytes]) -> bytes:
    """One directory, then the list of offsets and lengths that the entries of value -1 point to, then the pieces."""
    head = 8 + 2 + 12 * len(entries) + 4
    at = head + 8 * len(pieces)
    offsets, lengths = [], []
    for piece in pieces:
        offsets.append(at)
        lengths.append(len(piece))
        at += len(piece)
    lists = {273: offsets, 324: offsets, 279: lengths, 325: lengths}
    body = b""
    for tag, kind, count, value in entries:
        if value == -1:
            count = len(pieces)
            value = lists[tag][0] if count == 1 else head + (0 if lists[tag] is offsets else 4 * count)
        body += struct.pack("<HHII", tag, kind, count, value & 0xFFFFFFFF)
    table = struct.pack(f"<{2 * len(pieces)}I", *offsets, *lengths)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + bytes(4) + table + b"".join(pieces)


def tiled(size: tuple[int, int], tile: tuple[int, int], compression: int = 8, kind: int = LONG) -> bytes:
    """A grey picture of deflated tiles."""
    blank = zlib.compress(bytes(tile[0] * tile[1]), 1) if tile[0] * tile[1] < 1 << 21 else b"x" * 100_000
    tiles = -(-size[0] // tile[0]) * -(-size[1] // tile[1])
    entries = [
        (256, LONG, 1, size[0]), (257, LONG, 1, size[1]), (258, LONG, 1, 8), (259, LONG, 1, compression),
        (262, LONG, 1, 1), (277, LONG, 1, 1), (322, kind, 1, tile[0]), (323, kind, 1, tile[1]), (324, LONG, 0, -1),
        (325, LONG, 0, -1),
    ]  # fmt: skip
    return tiff(entries, [blank] * tiles)


def with_jpeg(jpeg: bytes, size: tuple[int, int], strips: int = 1) -> bytes:
    """A grey picture whose strips are one and the same JPEG each."""
    entries = [
        (256, LONG, 1, size[0]), (257, LONG, 1, size[1]), (258, LONG, 1, 8), (259, LONG, 1, 7), (262, LONG, 1, 1),
        (273, LONG, 0, -1), (277, LONG, 1, 1), (278, LONG, 1, size[1] // strips), (279, LONG, 0, -1),
    ]  # fmt: skip
    return tiff(entries, [jpeg] * strips)


def jpeg(size: tuple[int, int], scans: int = 1) -> bytes:
    """A grey JPEG: of one pass, or a progressive one whose last scan is repeated until there are so many."""
    out = BytesIO()
    Image.new("L", size, 90).save(out, "JPEG", progressive=scans > 1)
    data = out.getvalue()
    last = data[data.rfind(b"\xff\xc4") : -2] if scans > 1 else b""
    return data[:-2] + last * (scans - data.count(b"\xff\xda")) + b"\xff\xd9"


def test_a_small_picture_in_one_huge_tile_is_refused() -> None:
    assert code(tiled((100, 100), (20_000, 20_000))) == "too_many_pixels"


@pytest.mark.parametrize("kind", [LONG, SLONG])
def test_tiles_that_lie_outside_the_picture_count_however_their_size_is_written(kind: int) -> None:
    assert code(tiled((100, 100), (8_000, 8_000), kind=kind)) == "too_many_pixels"


def test_a_small_picture_in_a_tile_of_the_usual_size_is_a_photo() -> None:
    for tile in ((16, 16), (256, 256), (1024, 1024)):
        photo = answer(tiled((100, 50), tile))
        assert isinstance(photo, Photo)
        assert (photo.width, photo.height) == (100, 50)


def test_strips_that_claim_more_rows_than_the_picture_has_are_as_high_as_the_picture() -> None:
    out = BytesIO()
    Image.new("RGB", (64, 48), "red").save(out, "TIFF", compression="tiff_lzw", tiffinfo={278: 2**32 - 1})
    assert code(out.getvalue()) == ""


def test_a_size_that_is_stated_twice_is_refused() -> None:
    data = tiled((100, 100), (256, 256))
    doubled = data.replace(struct.pack("<HHII", 277, LONG, 1, 1), struct.pack("<HHII", 322, LONG, 1, 20_000))
    assert code(doubled) == "corrupt"


def test_the_scans_of_a_jpeg_inside_count_as_those_of_a_jpeg() -> None:
    data = with_jpeg(jpeg((64, 64), scans=80), (64, 64))
    assert code(data) == ""
    assert code(data, max_jpeg_scans=79) == "too_many_scans"
    assert code(data, max_jpeg_work=79 * 64 * 64) == "too_many_scans"


def test_the_work_of_all_strips_adds_up() -> None:
    data = with_jpeg(jpeg((64, 64), scans=20), (64, 64 * 50), strips=50)
    assert code(data) == ""
    assert code(data, max_jpeg_work=50 * 20 * 64 * 64 - 1) == "too_many_scans"


def test_a_jpeg_of_several_scans_inside_needs_memory_for_its_coefficients() -> None:
    size = 1024, 1024
    memory = 8 * size[0] * size[1]
    assert code(with_jpeg(jpeg(size), size), max_decode_bytes=memory) == ""
    assert code(with_jpeg(jpeg(size, scans=10), size), max_decode_bytes=memory) == "too_many_pixels"


def test_strips_that_lie_over_one_another_are_not_searched_again_and_again() -> None:
    data = bytearray(with_jpeg(jpeg((64, 64)) + bytes(1 << 14), (64, 64 * 50), strips=50))
    at = 8 + 2 + 12 * 9 + 4
    data[at : at + 400] = struct.pack("<100I", *range(600, 650), *range(50 << 14, (50 << 14) + 50))
    assert code(bytes(data)) == "corrupt"


@pytest.mark.parametrize("tag", [33550, 65000])
def test_a_false_list_that_no_decoder_reads_costs_no_picture(tag: int) -> None:
    pixels = np.arange(64 * 48 * 3, dtype=np.uint8).reshape(48, 64, 3)
    out = BytesIO()
    Image.fromarray(pixels).save(out, "TIFF", tiffinfo={tag: 7.0})
    data = out.getvalue()
    at = data.index(struct.pack("<H", tag))
    photo = answer(data[: at + 4] + struct.pack("<I", 0xFF000001) + data[at + 8 :])
    assert isinstance(photo, Photo)
    assert np.array_equal(photo.pixels, pixels)


@pytest.mark.parametrize("tag", [256, 273, 279])
def test_a_false_list_that_decoders_read_is_refused(tag: int) -> None:
    out = BytesIO()
    Image.new("RGB", (64, 48), "red").save(out, "TIFF", compression="tiff_lzw")
    data = out.getvalue()
    place = int.from_bytes(data[4:8], "little")
    at = data.index(struct.pack("<H", tag), place + 2)
    assert code(data[: at + 4] + struct.pack("<I", 0xFF000001) + data[at + 8 :]) == "corrupt"


@pytest.mark.parametrize("compression", [1, 5])
def test_values_that_overlap_are_not_copied_again_and_again(compression: int) -> None:
    shape = [(256, 4, 1, 64), (257, 4, 1, 64), (258, 3, 1, 8), (259, 3, 1, compression), (262, 3, 1, 1)]
    strips = [(273, 4, 1, -1), (278, 4, 1, 64), (279, 4, 1, -1)]
    over_one_another = [(tag, 7, 1 << 20, 8) for tag in range(1000, 1020)]
    assert code(tiff([*shape, *strips, *over_one_another], [bytes(2 << 20)])) == "corrupt"


def test_a_directory_of_endless_entries_is_refused() -> None:
    shape = [(256, 4, 1, 64), (257, 4, 1, 64), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, -1)]
    entries = [*shape, (278, 4, 1, 64), (279, 4, 1, -1)]
    assert code(tiff(entries, [bytes(64 * 64)])) == ""
    assert code(tiff([*entries, *[(1000, 4, 1, 1)] * 5000], [bytes(64 * 64)])) == "corrupt"

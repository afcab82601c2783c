"""HEIF pictures that are made of tiles: as many as they have room for, and no more."""

from __future__ import annotations

import struct
from io import BytesIO

import pillow_heif
import pytest
from PIL import Image

from facesieve.decode import decode_one
from facesieve.records import Photo
from facesieve.settings import Settings
from facesieve.sources import as_sources


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + kind + body


def full(kind: bytes, body: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(kind, bytes([version, 0, 0, flags]) + body)


def tiled(rows: int, columns: int, width: int, height: int, side: int = 64) -> bytes:
    """A grid of one tile, again and again."""
    file = BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", (side, side), (90, 120, 40))).save(file, quality=10)
    one = file.getvalue()
    at = one.index(b"hvcC") - 4
    coding = one[at : at + struct.unpack(">I", one[at : at + 4])[0]]
    pixels = one[one.index(b"mdat") + 4 :]
    count, grid = rows * columns, struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, width, height)
    names = full(b"infe", b"\0\1\0\0hvc1\0", 2, 1) + full(b"infe", b"\0\2\0\0grid\0", 2)
    sizes = [full(b"ispe", struct.pack(">II", *size)) for size in ((side, side), (width, height))]
    properties = box(b"ipco", coding + b"".join(sizes)) + full(b"ipma", b"\0\0\0\2\0\1\2\x81\2\0\2\1\3")
    references = full(b"iref", box(b"dimg", struct.pack(">HH", 2, count) + b"\0\1" * count))
    head = box(b"ftyp", b"heic\0\0\0\0heicmif1")

    def meta(start: int) -> bytes:
        places = struct.pack(">HHHII", 1, 0, 1, start, len(pixels))
        places += struct.pack(">HHHII", 2, 0, 1, start + len(pixels), len(grid))
        lists = full(b"iloc", b"\x44\0\0\2" + places) + full(b"iinf", b"\0\2" + names) + references
        first = full(b"hdlr", bytes(4) + b"pict" + bytes(13)) + full(b"pitm", b"\0\2")
        return full(b"meta", first + lists + box(b"iprp", properties))

    return head + meta(len(head) + len(meta(0)) + 8) + box(b"mdat", pixels + grid)


@pytest.mark.parametrize(("rows", "columns", "width", "height"), [(1, 1, 64, 64), (2, 2, 65, 65), (5, 7, 448, 320)])
def test_a_picture_made_of_tiles_is_read(rows: int, columns: int, width: int, height: int) -> None:
    [photo] = [decode_one(source, Settings()) for source in as_sources([tiled(rows, columns, width, height)])]
    assert isinstance(photo, Photo)
    assert photo.pixels.shape == (height, width, 3)


@pytest.mark.parametrize(("rows", "columns"), [(4, 4), (16, 16), (200, 200)])
def test_a_picture_of_more_tiles_than_it_has_room_for_is_refused_before_they_are_decoded(
    rows: int, columns: int
) -> None:
    [refusal] = [decode_one(source, Settings()) for source in as_sources([tiled(rows, columns, 64, 64)])]
    assert (refusal.code, refusal.message) == ("corrupt", "The picture is made of more tiles than it has room for.")

"""JPEG 2000 files of endless tiles, layers, precincts, channels or segments are refused by their headers."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from facesieve.decode import decode_one
from facesieve.records import Photo
from facesieve.settings import Settings
from facesieve.sources import as_sources

BEGIN = b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0\0\0\x14ftypjp2 \0\0\0\0jp2 "


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + kind + body


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">HH", marker, len(body) + 2) + body


def part(data: bytes = b"", header: bytes = b"") -> bytes:
    """A part of the first tile."""
    return segment(0xFF90, struct.pack(">HIBB", 0, 14 + len(header) + len(data), 0, 0)) + header + b"\xff\x93" + data


def style(layers: int = 1, levels: int = 0, precincts: bytes = b"", blocks: bytes = b"\4\4") -> bytes:
    body = bytes([bool(precincts), 2]) + struct.pack(">HBB", layers, 0, levels) + blocks + b"\0\1" + precincts
    return segment(0xFF52, body)


def codestream(
    side: int = 64, tile: int = 64, channels: int = 1, more: bytes | None = None, tiles: bytes | None = None
) -> bytes:
    sizes = struct.pack(">HIIIIIIIIH", 0, side, side, 0, 0, tile, tile, 0, 0, channels) + b"\7\1\1" * channels
    quantization = segment(0xFF5C, b"\x40\x48")
    middle = (style() if more is None else more) + quantization
    return b"\xff\x4f" + segment(0xFF51, sizes) + middle + (part() if tiles is None else tiles) + b"\xff\xd9"


def in_boxes(code: bytes, side: int, before: bytes = b"") -> bytes:
    header = box(b"ihdr", struct.pack(">IIHBBBB", side, side, 3, 7, 7, 0, 0)) + box(b"colr", b"\1\0\0\0\0\0\x10")
    return BEGIN + before + box(b"jp2h", header) + box(b"jp2c", code)


def answer(data: bytes) -> str:
    found = decode_one(as_sources([data])[0], Settings())
    return "photo" if isinstance(found, Photo) else found.code


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tile_size": (64, 64)},
        {"quality_mode": "rates", "quality_layers": [80, 40, 20, 10, 5, 1]},
        {"precinct_size": (64, 64), "codeblock_size": (16, 16), "progression": "RPCL"},
        {"num_resolutions": 1, "codeblock_size": (4, 4)},
        {"no_jp2": True},
    ],
)
def test_what_encoders_write_is_read(astronaut: Path, options: dict[str, object]) -> None:
    file = BytesIO()
    Image.open(astronaut).convert("RGB").save(file, "JPEG2000", **options)
    assert answer(file.getvalue()) == "photo"


def test_the_smallest_file_is_read() -> None:
    assert answer(codestream()) == "photo"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (codestream(more=style(layers=65535, precincts=b"\x22")), "corrupt"),
        (codestream(2048, 2048, more=style(precincts=b"\0")), "corrupt"),
        (codestream(4000, 4000, more=style(levels=1, precincts=b"\xf0\x0f")), "corrupt"),
        (codestream(4000, 4000, more=style(blocks=b"\0\0")), "corrupt"),
        (codestream(more=style() + segment(0xFF53, b"\0\1\0\4\4\0\1\0") + style(65535, 0, b"\x22")), "corrupt"),
        (codestream(tiles=part(header=style(65535, 0, b"\x22"))), "corrupt"),
        (codestream(tiles=part() * 200_000), "corrupt"),
        (codestream(more=style() + b"\xff\x30"), "corrupt"),
        (codestream(more=style() + segment(0xFF40, style(65535, 0, b"\x22"))), "corrupt"),
        (codestream(255, 1, 4), "too_many_pixels"),
        (codestream(64, 4, 16384), "unsupported_format"),
        (in_boxes(codestream(30_000, 30_000, 3), 10), "too_many_pixels"),
        (in_boxes(codestream(30_000, 30_000, 3), 10, box(b"free", codestream(10, 10, 3))), "too_many_pixels"),
        (in_boxes(codestream(64, 4, 16384), 64), "unsupported_format"),
    ],
    ids=[
        *("layers", "precincts", "positions", "code-blocks", "a second style", "a style in a tile", "parts of tiles"),
        *(
            "an unknown marker",
            "an unknown segment",
            "tiles",
            "channels",
            "a false size",
            "two sizes",
            "hidden channels",
        ),
    ],
)
def test_what_would_cost_seconds_or_gigabytes_is_refused(data: bytes, code: str) -> None:
    assert answer(data) == code


@pytest.mark.parametrize("end", range(0, 81, 3))
def test_a_header_that_is_cut_short_is_a_refusal(end: int) -> None:
    assert answer(codestream()[:end]) in ("empty", "corrupt", "truncated", "unsupported_format", "not_an_image")

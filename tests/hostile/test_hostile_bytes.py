"""Files of endless parts: whatever 100 MB hold, they cost bounded time and memory."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from io import BytesIO

import pytest
from PIL import Image

SIZE = 100 * 2**20 - 4096
CHILD = """
import json, resource, sys, time
import facesieve.decode.heif
from facesieve.decode import decode_one
from facesieve.settings import Settings
from facesieve.sources import as_sources
source = as_sources([sys.stdin.buffer.read()])[0]
began = time.process_time()
answer = decode_one(source, Settings())
took = time.process_time() - began
peak = [int(line.split()[1]) >> 10 for line in open("/proc/self/status") if line.startswith("VmHWM")][0]
print(json.dumps([getattr(answer, "code", "photo"), took, peak]))
"""


def repeated(head: bytes, unit: bytes, tail: bytes = b"") -> bytes:
    return head + unit * ((SIZE - len(head) - len(tail)) // len(unit)) + tail


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body) + 8) + kind + body


def good(format: str, **options: object) -> bytes:
    out = BytesIO()
    Image.new("RGB", (64, 64), (9, 99, 9)).save(out, format, **options)
    return out.getvalue()


def webp(body: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def tiff(entries: list[tuple[int, int, int, int]], body: bytes) -> bytes:
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + packed + bytes(4) + body


FRAME = bytes.fromhex("ffc2 0011 08 0bb8 0fa0 03 011100 021100 031100")
PNG = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 100, 100, 8, 2, 0, 0, 0))
PROFILE = b"\xff\xe2\xff\xffICC_PROFILE\0\1\1" + b"x" * 65519
GIF = b"GIF89a" + struct.pack("<HHBBB", 10, 10, 0x80, 0, 0) + bytes(6)
SIDES = [(256, 4, 1, 100), (257, 4, 1, 100), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (277, 3, 1, 1)]
HEIC, AVIF = (box(b"ftyp", brand + bytes(4) + brand + b"mif1") for brand in (b"heic", b"avif"))
JP2 = b"\0\0\0\x0cjP  \r\n\x87\n" + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
LAYERS = b"\xff\x4f" + bytes.fromhex(
    "ff51 0029 0000 00000040 00000040 00000000 00000000 00000040 00000040 00000000 00000000 0001 070101"
    "ff52 000d 01 00 ffff 00 00 04 04 00 01 00  ff5c 0004 40 48  ff90 000a 0000 00000000 00 01 ff93"
)
EXTENDED = b"VP8X" + struct.pack("<I", 10) + bytes(4) + b"\x3f\0\0\x3f\0\0"

FEW: dict[str, Callable[[], bytes]] = {
    "jpeg of fill bytes": lambda: repeated(b"\xff\xd8\xff", b"\xff"),
    "jpeg of stuffed bytes": lambda: repeated(b"\xff\xd8\xff", b"\0\xff"),
    "jpeg of scan markers": lambda: repeated(b"\xff\xd8\xff", b"\xda\xff"),
    "jpeg of empty APP1": lambda: repeated(b"\xff\xd8", b"\xff\xe1\0\2"),
    "jpeg of empty scans": lambda: repeated(b"\xff\xd8" + FRAME, b"\xff\xda\0\x08\1\1\0\0\0\0"),
    "heic of ispe": lambda: HEIC + box(b"meta", bytes(4) + b"ispe" * (SIZE // 4)),
    "png of empty text": lambda: repeated(PNG, chunk(b"tEXt", b"")),
    "tiff of strips": lambda: tiff([*SIDES, (273, 4, 25_000_000, 8), (279, 4, 25_000_000, 8)], bytes(SIZE)),
    "webp of empty chunks": lambda: webp(EXTENDED + b"ABCD\0\0\0\0" * (SIZE // 8) + good("WEBP")[12:]),
    "jpeg 2000 of empty boxes": lambda: repeated(JP2, box(b"free", b"")),
}
MANY: dict[str, Callable[[], bytes]] = {
    "jpeg of restarts": lambda: repeated(b"\xff\xd8", b"\xff\xd0"),
    "jpeg of comments": lambda: repeated(b"\xff\xd8", b"\xff\xfe\0\2"),
    "jpeg with fill bytes for its end": lambda: repeated(good("JPEG", progressive=True)[:-2], b"\xff"),
    "jpeg with restarts for its end": lambda: repeated(good("JPEG")[:-2], b"\xff\xd0"),
    "jpeg of profiles": lambda: repeated(b"\xff\xd8", PROFILE, good("JPEG")[2:]),
    "png of empty data": lambda: repeated(PNG, chunk(b"IDAT", b"")),
    "png of zeros": lambda: repeated(PNG, b"\0"),
    "gif of comments": lambda: repeated(GIF, b"!\xfe\1a\0", b";"),
    "gif of one-byte blocks": lambda: repeated(GIF + b",\0\0\0\0\x0a\0\x0a\0\0\2", b"\1\x44"),
    "tiff with a huge profile": lambda: tiff([*SIDES, (273, 4, 1, 8), (34675, 7, SIZE - 1000, 200)], bytes(SIZE)),
    "heic of boxes": lambda: HEIC + box(b"free", b"") * (SIZE // 8),
    "avif of properties": lambda: AVIF + box(b"meta", bytes(4) + box(b"ispe", bytes(12)) * (SIZE // 20)),
    "jpeg 2000 with a header of boxes": lambda: JP2 + box(b"jp2h", box(b"free", b"") * (SIZE // 8)),
    "ppm of comments": lambda: repeated(b"P3 5000 3000 255 ", b"#\n"),
    "ppm in text": lambda: repeated(b"P3 5000 3000 255 ", b"1 "),
    "gif of blocks in comments": lambda: repeated(GIF, b"!\xfe" + b"\1a" * 100 + b"\0", b";"),
    "tiff of values that overlap": lambda: tiff(
        [
            *SIDES[:3],
            (259, 3, 1, 5),
            *SIDES[4:],
            (273, 4, 1, 900),
            *[(tag, 7, 90 << 20, 8) for tag in range(999, 1020)],
        ],
        bytes(SIZE - 1000),
    ),
    "bigtiff of entries": lambda: repeated(
        b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 5_000_000), struct.pack("<HHQQ", 1000, 4, 1, 1)
    ),
    "jpeg 2000 of layers": lambda: repeated(LAYERS, b"\0"),
    "webp of frames": lambda: webp(EXTENDED + b"ANMF\0\0\0\0" * (SIZE // 8)),
}


def check(data: bytes) -> str:
    done = subprocess.run([sys.executable, "-c", CHILD], input=data, capture_output=True, check=True, timeout=120)
    code, took, peak = json.loads(done.stdout)
    assert took < 4, "twice what is promised, for a busy machine"
    assert peak < 700
    return str(code)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory from /proc")
@pytest.mark.parametrize("kind", FEW)
def test_100_megabytes_of_one_part_repeated_are_refused_in_bounded_time_and_memory(kind: str) -> None:
    assert check(FEW[kind]()) in ("corrupt", "truncated", "too_many_scans", "too_many_pixels")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory from /proc")
@pytest.mark.parametrize("kind", MANY)
def test_other_endless_parts_cost_no_more(kind: str) -> None:
    check(MANY[kind]())

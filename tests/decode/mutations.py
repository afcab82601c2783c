"""Pictures with all kinds of metadata, and mutations of the metadata alone."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator
from io import BytesIO

from PIL import Image, ImageCms, PngImagePlugin

JPEG_METADATA = {0xFE, *range(0xE0, 0xF0)}


def pictures(portrait: Image.Image) -> dict[str, bytes]:
    """Three JPEG and three PNG files that carry every usual kind of metadata."""
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x010F], exif[0x0131] = "camera", "software"
    jpeg = {"exif": exif.tobytes(), "icc_profile": icc, "comment": b"a comment", "dpi": (72, 72), "quality": 85}
    text = PngImagePlugin.PngInfo()
    text.add_text("Title", "a title")
    text.add_text("Comment", "long " * 200, zip=True)
    text.add_itxt("Author", "somebody", "en", "Author", zip=True)
    png = {"exif": exif.tobytes(), "icc_profile": icc, "pnginfo": text, "dpi": (72, 72)}
    grey = portrait.convert("L")
    made = {
        "baseline.jpg": (portrait, "JPEG", jpeg),
        "progressive.jpg": (portrait, "JPEG", jpeg | {"progressive": True}),
        "grey.jpg": (grey, "JPEG", jpeg),
        "colour.png": (portrait, "PNG", png),
        "grey.png": (grey, "PNG", png),
        "palette.png": (portrait.quantize(64), "PNG", png),
    }
    files = {}
    for name, (image, format, options) in made.items():
        out = BytesIO()
        image.save(out, format, **options)
        data = out.getvalue()
        if format == "JPEG":
            extra = [
                (0xED, b"Photoshop 3.0\0" + b"8BIM\x04\x04\0\0\0\0\0\x04\x1c\x02\0\0"),
                (0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"),
            ]
            if name == "baseline.jpg":
                extra.append((0xEE, b"Adobe\0\x64\0\0\0\0\x01"))
            at = 4 + int.from_bytes(data[4:6], "big")
            data = data[:at] + b"".join(segment(marker, body) for marker, body in extra) + data[at:]
        else:
            extra = [
                (b"gAMA", struct.pack(">I", 45455)),
                (b"tIME", bytes([7, 230, 1, 2, 3, 4, 5])),
                (b"vpAg", bytes(9)),
            ]
            data = data[:33] + b"".join(chunk(kind, body) for kind, body in extra) + data[33:]
        files[name] = data
    return files


def segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def chunk(kind: bytes, body: bytes, crc: int = 0) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body) ^ crc)


def mutated(data: bytes, seed: int) -> bytes:
    """The picture with one piece of metadata changed: its bytes, its length, its checksum, its number or its place."""
    dice = random.Random(seed)
    parts = list(_segments(data) if data[:2] == b"\xff\xd8" else _chunks(data))
    places = [index for index, (kind, _) in enumerate(parts) if kind]
    index = dice.choice(places)
    kind, body = parts[index]
    assert kind is not None
    make = segment if isinstance(kind, int) else chunk
    crc = 0
    match dice.randrange(8):
        case 0:
            body = body[: dice.randrange(len(body) + 1)]
        case 1:
            for _ in range(dice.randint(1, 8)):
                if body:
                    at = dice.randrange(len(body))
                    body = body[:at] + bytes([dice.randrange(256)]) + body[at + 1 :]
        case 2:
            body = dice.randbytes(dice.choice([0, 1, 2, 5, 11, 12, 13, 100, 5000]))
        case 3:
            body += dice.randbytes(dice.choice([1, 2, 100, 5000]))
        case 4:
            body = bytes(len(body))
        case 5:
            crc = dice.randrange(1, 1 << 32)
        case 6:
            parts.insert(index, parts[index])
        case 7:
            body = body[: dice.randrange(len(body) + 1)] + b"\xff\xd8\xff\xda\0\x08IEND" + body
    new = make(kind, body[:60_000], crc) if make is chunk else make(kind, body[:60_000])
    if make is segment and crc:
        new = new[:-1] if dice.random() < 0.1 else segment(kind, bytes([dice.randrange(256)]) + body[1:])
    parts[index] = (None, new)
    return b"".join(raw if kind is None else make(kind, raw) for kind, raw in parts)


def _segments(data: bytes) -> Iterator[tuple[int | None, bytes]]:
    yield None, data[:2]
    at = 2
    while data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        yield (data[at + 1], data[at + 4 : end]) if data[at + 1] in JPEG_METADATA else (None, data[at:end])
        at = end
    yield None, data[at:]


def _chunks(data: bytes) -> Iterator[tuple[bytes | None, bytes]]:
    yield None, data[:8]
    at = 8
    while at < len(data):
        end = at + 12 + int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        yield (kind, data[at + 8 : end - 4]) if kind[0] & 0x20 and kind != b"tRNS" else (None, data[at:end])
        at = end


def scratched(data: bytes, seed: int) -> bytes:
    """The picture with some bytes of one piece of metadata overwritten, its marker, length and checksum included."""
    dice = random.Random(seed)
    pieces, at = [], 0
    for kind, body in _segments(data) if data[:2] == b"\xff\xd8" else _chunks(data):
        size = len(body) + (0 if kind is None else 4 if isinstance(kind, int) else 12)
        pieces += [] if kind is None else [(at, at + size)]
        at += size
    start, end = dice.choice(pieces)
    changed = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        changed[dice.randrange(start, end if dice.random() < 0.5 else min(start + 12, end))] = dice.randrange(256)
    return bytes(changed)

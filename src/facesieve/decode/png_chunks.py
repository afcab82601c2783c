"""The chunks of a PNG file (W3C PNG, third edition, section 5). A decoder gets only those that hold pixels."""

from __future__ import annotations

import re
import zlib
from typing import NamedTuple

from facesieve.decode.integers import big
from facesieve.errors import Refused
from facesieve.records import RefusalCode

_SIGNATURE = 8
_MOST_CHUNKS = 1 << 18
_MOST_TEXT = 1 << 18
_MOST_PROFILE = 1 << 22
_END = b"\0\0\0\0IEND\xaeB`\x82"
_CLEAR_BYTES = {0: (2,), 2: (6,), 3: tuple(range(1, 257))}  # length of tRNS by colour type
_EXIF_AS_TEXT = re.compile(rb"Raw profile type (?:exif|APP1)\0")


class PngParts(NamedTuple):
    """pixels: a PNG with only the chunks of pixels. exif, icc: the EXIF block and the colour profile, or b""."""

    pixels: bytes
    exif: bytes
    icc: bytes


def read_chunks(data: bytes) -> PngParts:
    """Split a PNG. Raises Refused `corrupt` where its header is not the first chunk, or it has too many chunks."""
    if len(data) > _SIGNATURE + 8 and data[_SIGNATURE + 4 : _SIGNATURE + 8] != b"IHDR":  # Pillow would find it later
        raise Refused(RefusalCode.CORRUPT, "The PNG does not begin with its header.")
    runs: list[tuple[int, int]] = []
    found: dict[bytes, tuple[int, int]] = {}
    at, whole, seen_end = _SIGNATURE, True, False
    for _ in range(_MOST_CHUNKS):
        head = data[at : at + 8]
        kind = head[4:]
        if len(head) < 8 or kind == b"IEND":
            seen_end = kind == b"IEND"
            break
        end = at + 12 + big(head[:4])
        if _holds_pixels(kind, data[25:26]) or (kind == b"tRNS" and _is_clear(data, at, end)):
            if runs and runs[-1][1] == at:
                runs[-1] = (runs[-1][0], end)
            else:
                runs.append((at, end))
        else:
            whole = False
            as_text = kind in (b"tEXt", b"zTXt") and _EXIF_AS_TEXT.match(data, at + 8)
            if as_text or (kind in (b"eXIf", b"iCCP") and _is_whole(data, at, end)):
                found.setdefault(kind, (at + 8, end - 4))
        at = end
    else:
        raise Refused(RefusalCode.CORRUPT, f"The PNG has more than {_MOST_CHUNKS:,} chunks.")
    pixels = data
    if not (whole and seen_end):
        # A file that was cut short gets no end chunk, so that the decoder notices.
        pixels = b"".join(
            (data[:_SIGNATURE], *(data[start:end] for start, end in runs), _END if at <= len(data) else b"")
        )
    return PngParts(pixels, _exif(data, found), _profile(data, found))


def _holds_pixels(kind: bytes, colour_type: bytes) -> bool:
    """Whether a decoder needs a chunk. All critical chunks are, except for a palette without indices into it."""
    return not kind[0] & 0x20 and (kind != b"PLTE" or colour_type == b"\3")


def _is_whole(data: bytes, at: int, end: int) -> bool:
    return zlib.crc32(data[at + 4 : end - 4]) == big(data[end - 4 : end])


def _is_clear(data: bytes, at: int, end: int) -> bool:
    """Whether a tRNS chunk is whole and has the right length for its colour type; else it is ignored."""
    body = data[at + 8 : end - 4]
    colour_type = data[25:26]
    right = bool(colour_type) and len(body) in _CLEAR_BYTES.get(colour_type[0], ())
    return right and _is_whole(data, at, end)


def _exif(data: bytes, found: dict[bytes, tuple[int, int]]) -> bytes:
    if b"eXIf" in found:
        exif = data[slice(*found[b"eXIf"])]
        return exif if exif[:2] in (b"II", b"MM") else b""  # other readers ignore a block with another beginning
    for kind in (b"zTXt", b"tEXt"):
        if kind in found:
            _, _, text = data[slice(*found[kind])].partition(b"\0")
            return _from_hex(_inflated(text[1:], _MOST_TEXT) if kind == b"zTXt" else text[:_MOST_TEXT])
    return b""


def _from_hex(text: bytes) -> bytes:
    """An EXIF block as ImageMagick writes it: a line with the name, one with the length, then hexadecimal digits."""
    *_, digits = text.lstrip().split(b"\n", 2)
    try:
        return bytes.fromhex(digits.decode("ascii"))
    except ValueError:
        return b""


def _profile(data: bytes, found: dict[bytes, tuple[int, int]]) -> bytes:
    if b"iCCP" not in found:
        return b""
    _, _, packed = data[slice(*found[b"iCCP"])].partition(b"\0")
    return _inflated(packed[1:], _MOST_PROFILE)


def _inflated(packed: bytes, most: int) -> bytes:
    """The inflated bytes; b"" where they are damaged or more than `most`."""
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(packed, most)
    except zlib.error:
        return b""
    return data if unpacker.eof else b""

"""The chunks of an extended WebP file (RFC 9649, section 2.7). A decoder gets no metadata and no later frames."""

from __future__ import annotations

from typing import NamedTuple

from facesieve.decode.integers import little
from facesieve.errors import Refused
from facesieve.records import RefusalCode

_FIRST_CHUNK, _EXTENDED_END = 12, 30
_ALPHA, _ANIMATION, _EXIF, _ICC = 0x10, 0x02, 0x08, 0x20  # flags of the extended header
_PICTURE = frozenset({b"VP8 ", b"VP8L", b"ANMF"})
_BESIDE_PICTURE = frozenset({b"ANIM", b"ALPH"})
_MOST_CHUNKS = 1 << 14


class WebpParts(NamedTuple):
    """pixels: a WebP with only the first frame. exif, icc: the EXIF block and the colour profile, or b""."""

    pixels: bytes
    exif: bytes
    icc: bytes


def read_chunks(data: bytes) -> WebpParts:
    """Split a WebP. A simple file, and one whose first frame is cut short, is returned unchanged.

    Raises Refused `corrupt` where it has too many chunks.
    """
    if data[_FIRST_CHUNK : _FIRST_CHUNK + 4] != b"VP8X" or len(data) < _EXTENDED_END:
        return WebpParts(data, b"", b"")
    kept, found = list[bytes](), dict[bytes, bytes]()
    at, drawn = _EXTENDED_END, False
    for _ in range(_MOST_CHUNKS):
        kind, size = data[at : at + 4], little(data[at + 4 : at + 8])
        end = at + 8 + size + size % 2
        if len(kind) < 4 or (drawn and kind in _PICTURE):
            break
        if kind in _PICTURE or kind in _BESIDE_PICTURE:
            if at + 8 + size > len(data):
                break
            kept.append(data[at:end].ljust(end - at, b"\0"))
            drawn |= kind in _PICTURE
        else:
            found.setdefault(kind, data[at + 8 : at + 8 + size])
        at = end
    else:
        if not drawn:
            raise Refused(RefusalCode.CORRUPT, f"The WebP has more than {_MOST_CHUNKS:,} chunks before its picture.")
    if not drawn:
        return WebpParts(data, b"", b"")
    flags = data[20]
    head = data[_FIRST_CHUNK:20] + bytes([flags & (_ALPHA | _ANIMATION)]) + data[21:_EXTENDED_END]
    body = b"".join((b"WEBP", head, *kept))
    return WebpParts(
        b"".join((b"RIFF", len(body).to_bytes(4, "little"), body)),
        found.get(b"EXIF", b"") if flags & _EXIF else b"",
        found.get(b"ICCP", b"") if flags & _ICC else b"",
    )

"""The header of a BMP file. A file that states a wrong header size can still be read."""

from __future__ import annotations

from facesieve.decode.cost import Size
from facesieve.decode.integers import little

_SIZE, _KNOWN, _INFO = slice(14, 18), (12, 16, 40, 52, 56, 64, 108, 124), 40
_BITS, _COMPRESSION = slice(28, 30), slice(30, 34)


def bmp_size(data: bytes) -> Size:
    """Width and height as stored, in pixels."""
    if little(data[14:18]) == 12:
        return little(data[18:20]), little(data[20:22])
    width, height = (abs(int.from_bytes(data[at : at + 4], "little", signed=True)) for at in (18, 22))
    return width, height


def with_known_header(data: bytes) -> bytes:
    """The same file with a valid header size, where no palette and no masks depend on the stated size."""
    size, bits, compression = (little(data[field]) for field in (_SIZE, _BITS, _COMPRESSION))
    if size in _KNOWN or size < _INFO or bits not in (24, 32) or compression:
        return data
    return b"".join((data[: _SIZE.start], _INFO.to_bytes(4, "little"), data[_SIZE.stop :]))

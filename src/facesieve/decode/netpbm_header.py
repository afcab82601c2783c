"""The headers of the Netpbm formats: PBM, PGM and PPM (P1 to P6), PAM (P7), and PFM (Pf and PF)."""

from __future__ import annotations

import re
from dataclasses import dataclass

KINDS = frozenset({b"P1", b"P2", b"P3", b"P4", b"P5", b"P6", b"P7", b"Pf", b"PF"})

_SPACE = rb"(?:\s|#[^\r\n]*[\r\n])+"
_SIDE, _MAXVAL = rb"(\d{1,9})", rb"(\d{1,5})"
_BITMAP = re.compile(_SPACE.join([rb"P[14]", _SIDE, _SIDE]) + rb"\s")
_LEVELS = re.compile(_SPACE.join([rb"P[2356]", _SIDE, _SIDE, _MAXVAL]) + rb"\s")
_FLOAT = re.compile(rb"P[fF]\s+" + _SIDE + rb"\s+" + _SIDE + rb"\s+(-?)[0-9.eE+-]{1,40}\s")
_ARBITRARY = re.compile(rb"P7\n.*?\nENDHDR\n", re.DOTALL)
_LINE = re.compile(rb"^(WIDTH|HEIGHT|DEPTH|MAXVAL)[ \t]+(\d{1,9})[ \t\r]*$", re.MULTILINE)
_MOST_HEADER = 1 << 16


@dataclass(frozen=True, slots=True)
class NetpbmHeader:
    """kind: the character after the P. channels: samples per pixel. maxval: the sample of white.

    start: the offset of the samples. little: whether floats are little-endian.
    """

    kind: str
    width: int
    height: int
    channels: int
    maxval: int
    start: int
    little: bool = False


def read_header(data: bytes) -> NetpbmHeader | None:
    """The header, or None where it is not valid."""
    kind = data[1:2].decode("latin-1")
    match kind:
        case "1" | "4":
            found = _BITMAP.match(data, 0, _MOST_HEADER)
            header = found and NetpbmHeader(kind, int(found[1]), int(found[2]), 1, 1, found.end())
        case "f" | "F":
            found = _FLOAT.match(data, 0, _MOST_HEADER)
            channels = 3 if kind == "F" else 1
            header = found and NetpbmHeader(
                kind, int(found[1]), int(found[2]), channels, 1, found.end(), found[3] == b"-"
            )
        case "7":
            found = _ARBITRARY.match(data, 0, _MOST_HEADER)
            header = found and _of_lines(found)
        case _:
            found = _LEVELS.match(data, 0, _MOST_HEADER)
            channels = 3 if kind in "36" else 1
            header = found and NetpbmHeader(kind, int(found[1]), int(found[2]), channels, int(found[3]), found.end())
    if not header or not header.width or not header.height or not 0 < header.maxval < 1 << 16:
        return None
    return header


def _of_lines(found: re.Match[bytes]) -> NetpbmHeader | None:
    """The header of a PAM, whose lines may be in any order."""
    values = {name: int(value) for name, value in _LINE.findall(found[0])}
    if len(values) < 4 or not 1 <= values[b"DEPTH"] <= 4:
        return None
    sides = values[b"WIDTH"], values[b"HEIGHT"]
    return NetpbmHeader("7", *sides, values[b"DEPTH"], values[b"MAXVAL"], found.end())

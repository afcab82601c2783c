"""The items of a HEIF or AVIF file: pictures that are made of others (ISO/IEC 23008-12, sections 6.6 and 9.3)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from facesieve.decode.boxes import MOST_META, boxes
from facesieve.decode.integers import big
from facesieve.errors import Refused
from facesieve.records import RefusalCode

_MOST_ITEMS = 1 << 16
_MOST_TIMES = 8  # times the pixels of the largest item: the most that a picture may be made of


def check_items(data: bytes) -> None:
    """Refuse a picture that repeats one tile too often. Raises Refused `corrupt`."""
    meta = next(
        (data[start + 4 : min(end, start + MOST_META)] for kind, start, end in boxes(data) if kind == b"meta"), b""
    )
    parts = {kind: meta[start:end] for kind, start, end in boxes(meta)}
    areas, made_of = _areas(parts.get(b"iprp", b"")), dict(_made_of(parts.get(b"iref", b"")))
    most, pixels = _MOST_TIMES * max(areas.values(), default=0), dict[int, int]()
    if any(_pixels(item, areas, made_of, pixels) > most for item in made_of):
        raise Refused(RefusalCode.CORRUPT, "The picture is made of more tiles than it has room for.")


def _pixels(item: int, areas: Mapping[int, int], made_of: Mapping[int, Sequence[int]], known: dict[int, int]) -> int:
    """How many pixels are decoded for an item: its own, and those of all items that it is made of."""
    if item not in known:
        known[item] = 0  # an item that is made of itself ends here
        known[item] = areas.get(item, 0) + sum(_pixels(one, areas, made_of, known) for one in made_of.get(item, ()))
    return known[item]


def _made_of(references: bytes) -> Iterator[tuple[int, list[int]]]:
    """Yield each item that is made of others, with these others; one that is used twice is there twice."""
    width = 4 if references[:1] == b"\1" else 2
    for kind, start, end in boxes(references[4:]):
        if kind == b"dimg":
            body = references[4 + start : 4 + end]
            count = min(big(body[width : width + 2]), (len(body) - width - 2) // width)
            yield big(body[:width]), _numbers(body, width + 2, width, max(count, 0))


def _areas(properties: bytes) -> dict[int, int]:
    """The pixels that each item states to have."""
    parts = {kind: properties[start:end] for kind, start, end in boxes(properties)}
    held = parts.get(b"ipco", b"")
    sizes = [
        big(held[start + 4 : start + 8]) * big(held[start + 8 : start + 12]) if kind == b"ispe" else 0
        for kind, start, _ in boxes(held)
    ]
    found, table = dict[int, int](), parts.get(b"ipma", b"")
    width, each = (4 if big(table[:1]) else 2), (2 if big(table[3:4]) & 1 else 1)
    at = 8
    for _ in range(min(big(table[4:8]), _MOST_ITEMS)):
        item, count = big(table[at : at + width]), big(table[at + width : at + width + 1])
        at += width + 1
        indexes = (number & (0x7FFF if each == 2 else 0x7F) for number in _numbers(table, at, each, count))
        found[item] = max((sizes[index - 1] for index in indexes if 0 < index <= len(sizes)), default=0)
        at += count * each
    return found


def _numbers(data: bytes, at: int, width: int, count: int) -> list[int]:
    return [big(data[start : start + width]) for start in range(at, at + count * width, width)]

"""The directories of a TIFF structure (TIFF 6.0 section 2, BigTIFF, EXIF), read in bounded time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

# Bytes per value of the field types 1 to 18; the types that hold text or raw bytes are not numbers.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_NUMBERS = frozenset({1, 3, 4, 6, 8, 9, 13, 16, 17, 18})  # signed ones too: libtiff reads them as unsigned
MOST_TAGS = 4096
_MOST_DIRECTORIES = 64

SUB_DIRECTORIES = 330


@dataclass(frozen=True, slots=True)
class Directory:
    """One directory. entries: by tag, the field type, the number of values, and the offset of the first one.

    length: how many entries it states to have; only the first 4,096 are read. doubled: tags that occur twice; the last
    one counts. next: the offset of the next directory, or 0.
    """

    data: bytes
    order: str
    bigtiff: bool
    entries: dict[int, tuple[int, int, int]]
    length: int
    doubled: frozenset[int]
    next: int

    def value_bytes(self) -> int:
        """How many bytes all values take, as far as they lie in the file; overlapping ones count each time."""
        left = len(self.data)
        return sum(min(count * _SIZES.get(kind, 1), max(left - at, 0)) for kind, count, at in self.entries.values())

    def numbers(self, tag: int, most: int = 64) -> list[int]:
        """The whole numbers of a tag, at most `most`; none where the tag is absent or holds something else."""
        kind, count, at = self.entries.get(tag, (0, 0, 0))
        if kind not in _NUMBERS:
            return []
        size = _SIZES[kind]
        ends = range(at + size, min(at + size * min(count, most), len(self.data)) + 1, size)
        return [_number(self.data[end - size : end], self.order) for end in ends]

    def number(self, tag: int, default: int) -> int:
        """The first number of a tag, or `default`."""
        return next(iter(self.numbers(tag, 1)), default)


def first_directory(data: bytes) -> Directory:
    """Raises ValueError where the bytes are not a TIFF structure."""
    order, bigtiff, at = _start(data)
    return _directory(data, order, bigtiff, at)


def directories(data: bytes) -> Iterator[Directory]:
    """The directories of a file and their subdirectories, each once, as far as they can be read."""
    try:
        order, bigtiff, at = _start(data)
    except ValueError:
        return
    waiting, seen = [at], set[int]()
    while waiting and len(seen) < _MOST_DIRECTORIES:
        at = waiting.pop(0)
        if not at or at in seen:
            continue
        seen.add(at)
        try:
            directory = _directory(data, order, bigtiff, at)
        except ValueError:
            continue
        yield directory
        waiting += [*directory.numbers(SUB_DIRECTORIES), directory.next]


def _start(data: bytes) -> tuple[str, bool, int]:
    order = {b"II": "little", b"MM": "big"}.get(bytes(data[:2]), "")
    if not order:
        raise ValueError("no byte order")
    version = _number(data[2:4], order)
    if version == 43:
        return order, True, _number(data[8:16], order)
    if version == 42:
        return order, False, _number(data[4:8], order)
    raise ValueError("no TIFF version")


def _directory(data: bytes, order: str, bigtiff: bool, at: int) -> Directory:
    width, counter = (8, 8) if bigtiff else (4, 2)
    if not 0 < at <= len(data) - counter:
        raise ValueError("no directory there")
    count = _number(data[at : at + counter], order)
    step, at = 4 + 2 * width, at + counter
    entries: dict[int, tuple[int, int, int]] = {}
    doubled = set[int]()
    for start in range(at, min(at + step * min(count, MOST_TAGS), len(data) - step + 1), step):
        tag, kind = _number(data[start : start + 2], order), _number(data[start + 2 : start + 4], order)
        values = _number(data[start + 4 : start + 4 + width], order)
        where = start + 4 + width
        if values * _SIZES.get(kind, 1) > width:
            where = _number(data[where : where + width], order)
        if tag in entries:
            doubled.add(tag)
        entries[tag] = kind, values, where
    end = at + step * count
    return Directory(data, order, bigtiff, entries, count, frozenset(doubled), _number(data[end : end + width], order))


def _number(data: bytes, order: str) -> int:
    return int.from_bytes(data, order)  # type: ignore[arg-type]  # "little" or "big"

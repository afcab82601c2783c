"""The directory of a zip, read entry by entry.

`zipfile` refuses a whole archive if one name is flagged as UTF-8 but is not, always trusts the last end record, and
never compares the number of entries. Here a damaged entry does not affect the others, and a missing one is noticed.
The layout is that of APPNOTE.TXT 4.3.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

_LOCAL = b"PK\3\4"
_END, _END_SIZE, _LONGEST_COMMENT = b"PK\5\6", 22, 0xFFFF
_END64, _END64_SIZE, _LOCATOR, _LOCATOR_SIZE = b"PK\6\6", 56, b"PK\6\7", 20
_ENTRY, _ENTRY_SIZE = b"PK\1\2", 46
_FIELDS = struct.Struct("<4sHHHHHHIIIHHHHHII")
_IN_ZIP64, _ZIP64 = 0xFFFFFFFF, 1
_UTF8 = 0x800
_MOST_ENDS = 16  # candidates for the end record that are tried, so that a comment full of them costs no time


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the directory.

    offset: of its local header in the file. sound: whether the offset is valid, and the 64-bit values that the entry
    refers to are there.
    """

    raw: bytes
    flags: int
    method: int
    crc: int
    compressed: int
    size: int
    offset: int
    attributes: int
    extra: bytes
    sound: bool = True

    @property
    def utf8(self) -> bool:
        """Whether the name is marked as UTF-8 and is valid UTF-8."""
        return bool(self.flags & _UTF8) and _is_utf8(self.raw)


@dataclass(frozen=True, slots=True)
class Directory:
    """The entries of a zip.

    start: where the directory begins. behind: where its end record and the comment end.
    whole: whether there are as many entries as the end record says.
    """

    entries: list[Entry]
    start: int
    behind: int
    whole: bool


def read_directory(stream: BinaryIO) -> Directory:
    """The directory of the last end record that is right; if none is, the directory with the most entries.

    Raises ValueError where there is no end record.
    """
    best: Directory | None = None
    for end in islice(_ends(stream, stream.seek(0, os.SEEK_END)), _MOST_ENDS):
        for found in _directories(stream, end):
            if found.whole and found.entries:
                return found
            if best is None or len(found.entries) > len(best.entries):
                best = found
    if best is None:
        raise ValueError("no end record")
    return best


def holds_another(stream: BinaryIO, directory: Directory) -> bool:
    """Whether the file holds another zip, before the first entry or behind the end record."""
    first = min((entry.offset for entry in directory.entries if entry.sound), default=directory.start)
    before = islice(_ends(stream, first), _MOST_ENDS) if first else ()
    if any(found.whole and found.entries for end in before for found in _directories(stream, end)):
        return True
    stream.seek(directory.behind)
    return _LOCAL in stream.read(_END_SIZE + _LONGEST_COMMENT)


@dataclass(frozen=True, slots=True)
class _End:
    """An end record: where the directory ends, and its size, offset and number of entries as the record says.

    behind: where the record and its comment end.
    """

    position: int
    behind: int
    size: int
    offset: int
    count: int
    modulus: int  # of the count: many programs let its 16 bits overflow


def _ends(stream: BinaryIO, length: int) -> Iterator[_End]:
    """Everything that looks like an end record of the first `length` bytes, the last first.

    The comment of the real one may hold another.
    """
    first = max(0, length - _END_SIZE - _LONGEST_COMMENT)
    stream.seek(first)
    tail = stream.read(length - first)
    at = len(tail)
    while (at := tail.rfind(_END, 0, at + len(_END) - 1)) >= 0:
        if at + _END_SIZE <= len(tail):
            count, size, offset, comment = struct.unpack_from("<HIIH", tail, at + 10)
            behind = first + at + _END_SIZE + comment
            yield _end64(stream, first + at, behind) or _End(first + at, behind, size, offset, count, 1 << 16)


def _end64(stream: BinaryIO, end: int, behind: int) -> _End | None:
    """The 64-bit end record before an end record, if there is one."""
    position = end - _LOCATOR_SIZE - _END64_SIZE
    if position < 0:
        return None
    stream.seek(position)
    record = stream.read(_END64_SIZE + _LOCATOR_SIZE)
    if not (record.startswith(_END64) and record[_END64_SIZE:].startswith(_LOCATOR)):
        return None
    count, size, offset = struct.unpack_from("<QQQ", record, 32)
    return _End(position, behind, size, offset, count, 1 << 64)


def _directories(stream: BinaryIO, end: _End) -> Iterator[Directory]:
    """The directory directly before the end record, and the directory at the offset that the record says.

    They differ where other bytes precede the archive (the first is right), and where the record's size is wrong.
    """
    before = end.position - end.size
    for start, shift in {before: before - end.offset, end.offset: 0}.items():
        if not 0 <= start <= end.position:
            continue
        entries, complete = _entries(stream, start, end.position, shift)
        counted = len(entries) % end.modulus == end.count or (complete and len(entries) > end.count)
        yield Directory(entries, start, end.behind, counted and (bool(entries) or end.position == 0))


def _entries(stream: BinaryIO, start: int, end: int, shift: int) -> tuple[list[Entry], bool]:
    """Entries up to the first bytes that are not an entry, and whether they end where the directory does.

    shift: the number of bytes before the archive, which its offsets do not include.
    """
    entries: list[Entry] = []
    stream.seek(start)
    while start + _ENTRY_SIZE <= end:
        head = stream.read(_ENTRY_SIZE)
        if len(head) < _ENTRY_SIZE or not head.startswith(_ENTRY):
            break
        fields = _FIELDS.unpack(head)
        flags, method, crc, compressed, size, named, extended, commented = *fields[3:5], *fields[7:13]
        length = named + extended + commented
        rest = stream.read(length)
        if start + _ENTRY_SIZE + length > end or len(rest) < length:
            break
        start += _ENTRY_SIZE + length
        raw, extra = rest[:named], rest[named : named + extended]
        (size, compressed, offset), sound = _wide((size, compressed, fields[16]), extra)
        offset += shift
        entries.append(
            Entry(raw, flags, method, crc, compressed, size, offset, fields[15], extra, sound and offset >= 0)
        )
    return entries, start == end


def _wide(values: tuple[int, int, int], extra: bytes) -> tuple[tuple[int, int, int], bool]:
    """Size, compressed size and offset with their 64-bit values, and whether all of these were there."""
    field, wide = extra_field(extra, _ZIP64), list(values)
    for at, value in enumerate(values):
        if value == _IN_ZIP64:
            if len(field) < 8:
                return values, False
            (wide[at],), field = struct.unpack_from("<Q", field), field[8:]
    return (wide[0], wide[1], wide[2]), True


def extra_field(extra: bytes, wanted: int) -> bytes:
    """An extra field of an entry; b"" where it is absent."""
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        if kind == wanted:
            return extra[4 : 4 + size]
        extra = extra[4 + size :]
    return b""


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeError:
        return False
    return True

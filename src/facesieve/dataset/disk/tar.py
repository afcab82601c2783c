"""Tar files of crops: equal members become equal bytes, and the name of a tar file is computed from its members.

Each member has one USTAR header without times, users or extensions, so plain `tar` and WebDataset read it. The name of
the file is computed from its members, so damage to any byte is noticed.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from facesieve.dataset.disk.atomic import wrap_read_errors
from facesieve.dataset.disk.checksums import Checksum, checksum_of
from facesieve.dataset.disk.layout import file_size
from facesieve.dataset.disk.own_file import open_own_file
from facesieve.records import Integers, Pixels

BLOCK = tarfile.BLOCKSIZE  # bytes; headers and data are filled up to a multiple of it
END = bytes(2 * BLOCK)


class Member(NamedTuple):
    """A member of a tar file, with its bytes."""

    name: str
    data: bytes


class Position(NamedTuple):
    """Where a member of a tar file is: the offset of its bytes, and how many there are."""

    name: str
    offset: int
    size: int


class TarDamagedError(Exception):
    """The next bytes are not a member that FaceSieve wrote, or the end of the file is missing."""


def room(size: int) -> int:
    """The bytes that a member of this size takes in a tar file, with its header."""
    return BLOCK + -(-size // BLOCK) * BLOCK


def write_member(name: str, data: bytes, stream: BinaryIO) -> None:
    """Append a member to a tar file."""
    stream.write(member_bytes(name, data))


def member_bytes(name: str, data: bytes) -> bytes:
    """A member as the bytes that it has in a tar file."""
    return b"".join((_header(name, len(data)), data, bytes(-len(data) % BLOCK)))


def headers(names: Sequence[str], sizes: Integers) -> Pixels:
    """(N, 512) uint8 the headers of many members, with the same bytes as those of `member_bytes`.

    names: at most 100 bytes each in UTF-8. sizes: (N,) of the members, in bytes.
    """
    rows = np.tile(np.frombuffer(_EMPTY, np.uint8), (len(names), 1))
    rows[:, :_NAME] = np.array([name.encode() for name in names], f"S{_NAME}").view(np.uint8).reshape(-1, _NAME)
    rows[:, _SIZE] = _octal(sizes, _SIZE)
    rows[:, _CHECKSUM] = ord(" ")
    sums = rows.sum(axis=1, dtype=np.int64)
    rows[:, _DIGITS] = _octal(sums, _DIGITS)
    rows[:, _DIGITS.stop] = 0
    return rows


def _octal(numbers: Integers, place: slice) -> Pixels:
    """(N, D) uint8 the digits of numbers, as text, for a place of D bytes."""
    shifts = 3 * np.arange(place.stop - place.start - 1, -1, -1)
    digits: Pixels = (ord("0") + (numbers[:, np.newaxis] >> shifts & 7)).astype(np.uint8)
    return digits


def tar_name(members: Iterable[tuple[str, Checksum]]) -> str:
    """The name of the tar file with these members, in order."""
    lines = "".join(f"{known.sha256} {known.size} {name}\n" for name, known in members)
    return f"{hashlib.sha256(lines.encode()).hexdigest()[:32]}.tar"


def members_in(path: Path) -> Iterator[Member]:
    """Yield the members of a tar file in order.

    Raises TarDamagedError where the file is damaged, and DatasetError if it cannot be read.
    """
    with wrap_read_errors(path), open_own_file(path) as stream:
        while (header := stream.read(BLOCK)) != END[:BLOCK]:
            name, size = _parsed(header)
            data = stream.read(size)
            filling = stream.read(room(size) - BLOCK - size)
            if len(data) != size or filling != bytes(room(size) - BLOCK - size):
                raise TarDamagedError
            yield Member(name, data)
        if header + stream.read() != END:
            raise TarDamagedError


def positions_in(path: Path) -> Iterator[Position]:
    """Yield the positions of the members of a tar file, up to the first damage. It reads only the headers.

    Raises DatasetError if the file cannot be read.
    """
    with wrap_read_errors(path), open_own_file(path) as stream:
        length = stream.seek(0, 2)
        offset = stream.seek(0) + BLOCK
        while (header := stream.read(BLOCK)) != END[:BLOCK]:
            try:
                name, size = _parsed(header)
            except TarDamagedError:
                return
            if offset + size > length:
                return
            yield Position(name, offset, size)
            offset = stream.seek(offset - BLOCK + room(size)) + BLOCK


def read_at(path: Path, offset: int, size: int) -> bytes:
    """The bytes of a member; fewer if the file ends before. Raises DatasetError if the file cannot be read."""
    with wrap_read_errors(path), open_own_file(path) as stream:
        stream.seek(offset)
        return stream.read(size)


def is_complete(path: Path) -> bool:
    """Whether a tar file is there and has its end. It reads only the end."""
    if file_size(path) is None:
        return False
    with wrap_read_errors(path), open_own_file(path) as stream:
        length = stream.seek(0, 2)
        stream.seek(max(0, length - len(END)))
        return length % BLOCK == 0 and stream.read() == END


def is_intact(path: Path) -> bool:
    """Whether every byte of a tar file with a computed name is as it was written."""
    try:
        return tar_name((one.name, checksum_of(one.data)) for one in members_in(path)) == path.name
    except TarDamagedError:
        return False


def _header(name: str, size: int) -> bytes:
    """The USTAR header of a member. Short names take a tenth of the time that tarfile takes, with the same bytes."""
    encoded = name.encode()
    if len(encoded) > _NAME or size > _MOST_SIZE:
        return _any_header(name, size)
    digits = b"%011o" % size
    checksum = b"%06o" % (_SUM + sum(encoded) + sum(digits))
    return b"".join((encoded.ljust(_NAME, b"\0"), _OWNER, digits, _TIME, checksum, _REST))


def _any_header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "strict")


# The parts of a header around the name, the size and the checksum, and the sum of their bytes.
_NAME, _MOST_SIZE = 100, 8**11 - 1
_EMPTY = _any_header("", 0)
_SIZE, _CHECKSUM, _DIGITS = slice(124, 135), slice(148, 156), slice(148, 154)
_OWNER, _TIME, _REST = _EMPTY[100:124], _EMPTY[135:148], _EMPTY[154:]
_SUM = int(_EMPTY[148:154], 8) - 11 * ord("0")


def _parsed(header: bytes) -> tuple[str, int]:
    try:
        info = tarfile.TarInfo.frombuf(header, "utf-8", "strict")
        intact = _header(info.name, info.size) == header
    except (tarfile.HeaderError, ValueError) as error:
        raise TarDamagedError from error
    if not intact:
        raise TarDamagedError
    return info.name, info.size

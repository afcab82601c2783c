"""Size and sha256 of the files of a dataset, stored beside them, so that damage is noticed.

A checksum file has one line per file: sha256, size in bytes, and the name relative to the dataset. Its first line is
the sha256 of all other lines. While a file is being replaced it has two lines, and either of them is valid.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from facesieve.dataset.disk.atomic import wrap_read_errors, write_file
from facesieve.dataset.disk.own_file import damaged_file, open_own_file


@dataclass(frozen=True, slots=True)
class Checksum:
    """What a file holds: its sha256 (64 hex digits) and its size in bytes."""

    sha256: str
    size: int


Checksums = Mapping[str, frozenset[Checksum]]  # by name relative to the dataset


def checksum_of(data: bytes) -> Checksum:
    """The checksum of a file with these bytes."""
    return Checksum(hashlib.sha256(data).hexdigest(), len(data))


def checksum_of_stream(stream: BufferedReader) -> Checksum:
    """The checksum of an open file, read from its start to its end."""
    digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return Checksum(digest, stream.tell())


def checksum_of_file(path: Path) -> Checksum:
    """The checksum of a file on disk. Raises DatasetError if the file cannot be read."""
    with wrap_read_errors(path), open_own_file(path) as stream:
        return checksum_of_stream(stream)


def checksums_by_name(pairs: Iterable[tuple[str, Checksum]]) -> dict[str, frozenset[Checksum]]:
    """Pairs of name and checksum, collected by name."""
    found: dict[str, frozenset[Checksum]] = {}
    for name, known in pairs:
        found[name] = found.get(name, frozenset()) | {known}
    return found


def checksum_pairs(checksums: Checksums) -> Iterator[tuple[str, Checksum]]:
    """Every name with every checksum that it may have; the reverse of `checksums_by_name`."""
    return ((name, known) for name, all_known in checksums.items() for known in all_known)


def write_checksums(checksums: Checksums, path: Path, scratch: Path) -> None:
    """Write a checksum file atomically.

    Its name survives a power cut only after `sync_folders`. Raises DatasetError if it cannot be written.
    """
    lines = sorted(f"{known.sha256} {known.size} {name}\n" for name, known in checksum_pairs(checksums))
    body = "".join(lines).encode()
    write_file(f"{hashlib.sha256(body).hexdigest()}\n".encode() + body, path, scratch)


def read_checksums(path: Path) -> dict[str, frozenset[Checksum]]:
    """The checksums in a file; empty if there is no such file. Raises DatasetError if it is damaged or unreadable."""
    with wrap_read_errors(path):
        try:
            with open_own_file(path) as stream:
                head, _, body = stream.read().partition(b"\n")
        except (FileNotFoundError, NotADirectoryError):
            return {}
    if hashlib.sha256(body).hexdigest().encode() != head:
        raise damaged_file(path)
    rows = (line.split(" ", 2) for line in body.decode().split("\n")[:-1])
    return checksums_by_name((name, Checksum(sha256, int(size))) for sha256, size, name in rows)

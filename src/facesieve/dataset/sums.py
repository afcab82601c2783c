"""Size and sha256 of the files of a dataset, written beside them, so that damage is noticed.

A file of sums has one line per file: sha256, size in bytes, name relative to the dataset. Its first line is the
sha256 of all other lines. A name may have two lines while the file is being replaced; either of them counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from facesieve.dataset.commit import put, reading
from facesieve.errors import DatasetError


@dataclass(frozen=True, slots=True)
class Sum:
    """What a file holds: its sha256 (64 hex digits) and its size in bytes."""

    sha256: str
    size: int


Sums = Mapping[str, frozenset[Sum]]  # by name relative to the dataset


def sum_of(data: bytes) -> Sum:
    """The sum of a file with these bytes."""
    return Sum(hashlib.sha256(data).hexdigest(), len(data))


def sum_of_stream(stream: BufferedReader) -> Sum:
    """The sum of a file that is open at its beginning; the stream is at its end afterwards."""
    digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return Sum(digest, stream.tell())


def sum_of_file(path: Path) -> Sum:
    """The sum of a file as it is on disk. Raises DatasetError where it cannot be read."""
    with reading(path), path.open("rb") as stream:
        return sum_of_stream(stream)


def sums_of(pairs: Iterable[tuple[str, Sum]]) -> dict[str, frozenset[Sum]]:
    """Pairs of name and sum, collected by name."""
    found: dict[str, frozenset[Sum]] = {}
    for name, known in pairs:
        found[name] = found.get(name, frozenset()) | {known}
    return found


def pairs_of(sums: Sums) -> Iterator[tuple[str, Sum]]:
    """Every name with every sum it may have; the reverse of `sums_of`."""
    return ((name, known) for name, all_known in sums.items() for known in all_known)


def write_sums(sums: Sums, path: Path, scratch: Path) -> None:
    """Publish a file of sums. Its name is durable after `settle`. Raises DatasetError where the disk refuses."""
    lines = sorted(f"{known.sha256} {known.size} {name}\n" for name, known in pairs_of(sums))
    body = "".join(lines).encode()
    put(f"{hashlib.sha256(body).hexdigest()}\n".encode() + body, path, scratch)


def read_sums(path: Path) -> dict[str, frozenset[Sum]]:
    """The sums in a file; none where there is no such file. Raises DatasetError when it is damaged."""
    try:
        head, _, body = path.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise DatasetError("cannot_read", f"Cannot read {path}: {error.strerror or error}.") from error
    if hashlib.sha256(body).hexdigest().encode() != head:
        raise DatasetError(
            "damaged_dataset", f"{path} is damaged; `facesieve check --repair` writes it again from the files."
        )
    rows = (line.split(" ", 2) for line in body.decode().split("\n")[:-1])
    return sums_of((name, Sum(sha256, int(size))) for sha256, size, name in rows)

"""What was forgotten, as salted hashes, so that no later build adds it again.

    label      all pictures under this label
    picture    all pictures with these bytes
    place      the picture with these bytes at this place; the same bytes elsewhere stay in the dataset
    file       the file at this place with this fingerprint; it is not read again
    face       one face of a picture that stays

The table has no name and no id, only hashes and the salt of each. A merged dataset has the salts of all its parts.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from enum import StrEnum
from hashlib import blake2b

import numpy as np
import pyarrow as pa

from facesieve.dataset.disk.atomic import write_file_durably
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.names import normalized_text
from facesieve.dataset.disk.parquet import read_table, table_bytes
from facesieve.errors import DatasetError
from facesieve.records import Mask, Source
from facesieve.sources.remote.url import is_url

_SCHEMA = pa.schema([("salt", pa.binary()), ("hash", pa.binary())])
_SALT_BYTES = 16


class Kind(StrEnum):
    """What a hash stands for."""

    LABEL = "label"
    PICTURE = "picture"
    PLACE = "place"
    FILE = "file"
    FACE = "face"


Entry = tuple[Kind, bytes]


class ForgottenHashes:
    """The hashes of one dataset. It is false if nothing was forgotten."""

    def __init__(self, layout: Layout) -> None:
        """Raises DatasetError if the table is damaged: then a build could add again what was forgotten."""
        self._layout = layout
        self._held: dict[bytes, set[bytes]] = {}
        for row in _read(layout).to_pylist():
            self._held.setdefault(row["salt"], set()).add(row["hash"])

    def __bool__(self) -> bool:
        return any(self._held.values())

    def has(self, kind: Kind, values: Sequence[bytes]) -> Mask:
        """(N,) whether each of these values was forgotten."""
        found = np.zeros(len(values), bool)
        for salt, held in self._held.items():
            found |= np.fromiter((_hash(salt, (kind, value)) in held for value in values), bool, len(values))
        return found

    def add(self, entries: Iterable[Entry]) -> None:
        """Remember these, and write the table. Raises DatasetError if it cannot be written."""
        salt = next(iter(self._held), None) or os.urandom(_SALT_BYTES)
        self._held.setdefault(salt, set()).update(_hash(salt, entry) for entry in entries)
        self.write()

    def lift(self, entries: Iterable[Entry]) -> None:
        """Allow these again. Call `write` afterwards."""
        lifted = list(entries)
        for salt, held in self._held.items():
            held.difference_update(_hash(salt, entry) for entry in lifted)

    def join(self, others: Iterable[ForgottenHashes]) -> None:
        """Also remember what other datasets have forgotten. Raises DatasetError if it cannot be written."""
        for other in others:
            for salt, held in other._held.items():
                self._held.setdefault(salt, set()).update(held)
        if self:
            self.write()

    def write(self) -> None:
        """Write the table. Raises DatasetError if it cannot be written."""
        rows = sorted((salt, one) for salt, held in self._held.items() for one in held)
        columns = [pa.array(column, pa.binary()) for column in (zip(*rows, strict=True) if rows else ([], []))]
        write_file_durably(table_bytes(pa.table(columns, schema=_SCHEMA)), self._layout.forgotten, self._layout.scratch)


def not_forgotten(sources: Sequence[Source], forgotten: ForgottenHashes) -> list[Source]:
    """The sources of which neither the label nor the file was forgotten. No file is read."""
    if not forgotten:
        return list(sources)
    labels = list({source.label for source in sources})
    by_label = dict(zip(labels, forgotten.has(Kind.LABEL, [*map(label_bytes, labels)]).tolist(), strict=True))
    files = forgotten.has(Kind.FILE, [file_bytes(source.key, source.fingerprint) for source in sources])
    return [source for source, gone in zip(sources, files, strict=True) if not (gone or by_label[source.label])]


def file_entries(key: bytes, fingerprint: str | None) -> list[Entry]:
    """What stands for the file of an input. A list or a bucket may not tell the fingerprint of what a URL names."""
    stamps = {fingerprint or "", *([""] if is_url(os.fsdecode(key)) else [])}
    return [(Kind.FILE, file_bytes(key, stamp)) for stamp in sorted(stamps)]


def file_bytes(key: bytes, fingerprint: str) -> bytes:
    """What is hashed of a file: its place and its fingerprint."""
    return b"\0\0".join((key, fingerprint.encode()))


def place_bytes(key: bytes, picture_id: str | None) -> bytes:
    """What is hashed of a picture at one place."""
    return b"\0\0".join((key, (picture_id or "").encode()))


def label_bytes(label: str) -> bytes:
    """What is hashed of a label."""
    return normalized_text(label).encode()


def _hash(salt: bytes, entry: Entry) -> bytes:
    return blake2b(entry[1], digest_size=16, salt=salt, person=entry[0].encode()).digest()


def _read(layout: Layout) -> pa.Table:
    if not layout.forgotten.exists():
        return _SCHEMA.empty_table()
    try:
        return read_table(layout.forgotten, _SCHEMA.names).cast(_SCHEMA)
    except (DatasetError, ValueError) as error:
        if isinstance(error, DatasetError) and error.code != "damaged_dataset":
            raise
        raise DatasetError(
            "damaged_dataset",
            f"{layout.forgotten} is damaged, so nobody knows what must stay forgotten. Restore it from a copy, or "
            "delete it; then the next build adds again what was forgotten.",
        ) from error

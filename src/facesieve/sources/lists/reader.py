"""A list of any format, read row by row into sources. A row that cannot be used becomes a refusal."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from facesieve.errors import UsageError
from facesieve.records import Source, displayed
from facesieve.sources.file import from_file
from facesieve.sources.identity import former, identity_of, identity_of_row
from facesieve.sources.lists.binary import HEAD, refuse_other_files
from facesieve.sources.lists.columns import shown
from facesieve.sources.lists.delimited import delimited_rows
from facesieve.sources.lists.json_lines import json_rows
from facesieve.sources.lists.resolve import resolve
from facesieve.sources.lists.row import LONGEST_LABEL, Row
from facesieve.sources.openers import RefusedOpener, Slice, open_file
from facesieve.sources.remote.remote import Remote, from_url
from facesieve.sources.remote.url import is_url
from facesieve.sources.search import Search
from facesieve.sources.temporary import TemporaryWriter

_SAMPLE_ROWS = 20  # rows that show whether a file is a list


def is_list(path: Path) -> bool:
    """Whether a file named by the user is read as a list, by its suffix."""
    return path.suffix.lower() in FORMATS


def from_list(path: Path, search: Search) -> Iterator[Source]:
    """One source per row, in the list's order. A relative path starts at the list's own folder.

    Pictures whose bytes are in the list are copied to a temporary file, because Parquet has no random access.
    Raises UsageError `bad_list` when no column holds pictures or the file is something else, `unreadable_list` when the
    list cannot be read.
    """
    keys = search.listed.setdefault(identity_of(path), [])
    for source in _sources(path, search):
        keys.append(source.key)
        yield source


def _sources(path: Path, search: Search) -> Iterator[Source]:
    copies: TemporaryWriter | None = None
    for row in _rows(path, search):
        if fault := row.fault():
            yield _refused_row(path, row, fault)
        elif row.data is None:
            yield _named_picture(path, row, search)
        else:
            copies = copies or TemporaryWriter(path)
            copies.write(row.data)
            part = Slice(copies.file.path, copies.size - len(row.data), len(row.data), copies.file)
            yield _embedded_picture(path, row, part)
    if copies:
        copies.close()


def looks_like_a_list(path: Path, search: Search) -> bool:
    """Whether one of the first rows leads to a picture. Files that `*` matches may be notes or tables instead."""
    silent = Search(search.settings, search.options)
    try:
        rows = list(islice(_rows(path, silent), _SAMPLE_ROWS))
    except (UsageError, OSError):
        return False
    usable = (row for row in rows if not row.fault())
    return any(row.data is not None or _leads_to_a_picture(_named_picture(path, row, silent)) for row in usable)


def _leads_to_a_picture(source: Source) -> bool:
    return bool(source.fingerprint) or isinstance(source.open, Remote)


def _rows(path: Path, search: Search) -> Iterator[Row]:
    try:
        with open_file(path) as stream:
            refuse_other_files(path, stream.read(HEAD))
            stream.seek(0)
            yield from FORMATS[path.suffix.lower()](path, stream, search)
    except (OSError, UnicodeError) as error:
        raise UsageError("unreadable_list", f"The list {shown(path)} cannot be read.") from error
    except MemoryError as error:
        raise UsageError("unreadable_list", f"There is not enough memory to read the list {shown(path)}.") from error


def _parquet_rows(path: Path, stream: BinaryIO, search: Search) -> Iterator[Row]:
    from facesieve.sources.lists.parquet import parquet_rows  # pyarrow takes long to import, and 25 MB of memory

    return parquet_rows(path, stream, search)


FORMATS: dict[str, Callable[[Path, BinaryIO, Search], Iterator[Row]]] = {
    ".txt": delimited_rows,
    ".csv": delimited_rows,
    ".tsv": delimited_rows,
    ".jsonl": json_rows,
    ".ndjson": json_rows,
    ".parquet": _parquet_rows,
}


def _refused_row(path: Path, row: Row, fault: RefusedOpener) -> Source:
    """The refusal of a row that cannot be used."""
    label = row.label_text
    label = displayed(label) if len(label) <= LONGEST_LABEL else ""
    name, identity = f"{path.as_posix()}:{row.number}", identity_of_row(identity_of(path), row.number)
    return Source(displayed(name), label, fault, identity=identity, former=former(name))


def _named_picture(path: Path, row: Row, search: Search) -> Source:
    """The file or URL that a row names."""
    if is_url(row.path):
        return from_url(row.path, row.label_text, search.settings)
    return from_file(resolve(path, row.path, search.options.list_encoding), displayed(row.label_text))


def _embedded_picture(path: Path, row: Row, data: Slice) -> Source:
    """The picture whose bytes are in the row."""
    name = f"{path.as_posix()}:{row.number}" + (f"!{row.path}" if row.path else "")
    identity = identity_of_row(identity_of(path), row.number)
    fingerprint = f"{data.size}-{zlib.crc32(row.data or b''):08x}"
    return Source(displayed(name), displayed(row.label_text), data, fingerprint, identity=identity)

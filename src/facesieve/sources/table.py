"""Lists of pictures: text, CSV, TSV, JSON lines and Parquet, by one set of rules. A row that is off costs that row."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from facesieve.errors import UsageError
from facesieve.records import RefusalCode, Source, displayed
from facesieve.sources.columns import shown
from facesieve.sources.folder import from_file
from facesieve.sources.naming import former, identity_of, identity_of_row
from facesieve.sources.opening import Closed, Slice, open_file
from facesieve.sources.rows import READERS, Row
from facesieve.sources.state import Search
from facesieve.sources.target import target
from facesieve.sources.unpacked import Unpacking

SUFFIXES = (*READERS, ".parquet")
LONGEST_PATH = LONGEST_LABEL = 32_767  # characters; no system has longer paths

_ENOUGH = 20  # rows that show whether a file is a list


def is_table(path: Path) -> bool:
    """Whether a file named by the user is read as a list, by its suffix."""
    return path.suffix.lower() in SUFFIXES


def from_table(path: Path, search: Search) -> Iterator[Source]:
    """One source a row, in the list's order. A relative path starts at the list's own folder.

    Pictures whose bytes are in the list are copied to a temporary file, as Parquet has no random access.
    Raises UsageError `bad_list` when no column holds pictures, `unreadable_list` when the list cannot be read.
    """
    inside: Unpacking | None = None
    for row in _rows(path, search):
        data = _bytes(row.picture)
        if data is None or _fault(row):
            yield _source(path, row, search)
            continue
        inside = inside or Unpacking(path)
        inside.write(data)
        here = Slice(inside.file.path, inside.size - len(data), len(data), inside.file)
        yield _inside(path, row, here, f"{len(data)}-{zlib.crc32(data):08x}")
    if inside:
        inside.close()


def looks_like_a_list(path: Path, search: Search) -> bool:
    """Whether one of the first rows leads to a picture; a shell's `*` names notes and tables as well."""
    quiet = Search(search.settings, search.options)
    try:
        rows = list(islice(_rows(path, quiet), _ENOUGH))
    except (UsageError, OSError):
        return False
    return any(_bytes(row.picture) is not None or _source(path, row, search).fingerprint for row in rows)


def _rows(path: Path, search: Search) -> Iterator[Row]:
    try:
        with open_file(path) as stream:
            if path.suffix.lower() == ".parquet":
                from facesieve.sources.parquet import parquet_rows  # pyarrow takes a while to import, and 25 MB

                yield from parquet_rows(path, stream, search)
            else:
                yield from READERS[path.suffix.lower()](path, stream, search)
    except (OSError, UnicodeError) as error:
        raise UsageError("unreadable_list", f"The list {shown(path)} cannot be read.") from error
    except MemoryError as error:
        raise UsageError("unreadable_list", f"There is not enough memory to read the list {shown(path)}.") from error


def _bytes(picture: Any) -> bytes | None:
    """The picture itself, where the list holds it."""
    data = picture.get("bytes") if isinstance(picture, dict) else picture
    return data if isinstance(data, bytes) else None


def _path(picture: Any) -> str:
    path = picture.get("path") if isinstance(picture, dict) else picture
    return path if isinstance(path, str) else ""


def _source(table: Path, row: Row, search: Search) -> Source:
    """The file that a row names."""
    label = label_of(row.label)
    label = displayed(label) if len(label) <= LONGEST_LABEL else ""
    if fault := _fault(row):
        name, identity = f"{table.as_posix()}:{row.number}", identity_of_row(identity_of(table), row.number)
        return Source(displayed(name), label, fault, identity=identity, former=former(name))
    return from_file(target(table, _path(row.picture), search.options.list_encoding), label)


def _fault(row: Row) -> Closed | None:
    """Why a row leads to no picture."""
    if row.refusal:
        return row.refusal
    if len(label_of(row.label)) > LONGEST_LABEL:
        return Closed(RefusalCode.BAD_ROW, f"The row's label has more than {LONGEST_LABEL:,} characters.")
    path = _path(row.picture)
    if len(path) > LONGEST_PATH:
        return Closed(RefusalCode.BAD_ROW, f"The row's path has more than {LONGEST_PATH:,} characters.")
    if _bytes(row.picture) is None and (not path or "\0" in path or not _encodable(path)):
        return Closed(RefusalCode.BAD_ROW)
    return None


def _inside(table: Path, row: Row, data: Slice, fingerprint: str) -> Source:
    """The picture that a row holds."""
    path = _path(row.picture)
    name = f"{table.as_posix()}:{row.number}" + (f"!{path}" if path else "")
    identity = identity_of_row(identity_of(table), row.number)
    return Source(displayed(name), displayed(label_of(row.label)), data, fingerprint, identity=identity)


def _encodable(text: str) -> bool:
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeError:
        return False
    return True


def label_of(value: Any) -> str:
    """A label as text: whole numbers without a fraction, nothing for what is absent."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float() if math.isnan(value):
            return ""
        case float() if value.is_integer():
            return str(int(value))
        case bytes():
            return value.decode("utf-8", "surrogateescape").strip()
        case _:
            return str(value).strip()

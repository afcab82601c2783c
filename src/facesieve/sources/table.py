"""Lists of paths: text, CSV and Parquet. A row that is off costs that row."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from facesieve.errors import UsageError
from facesieve.records import RefusalCode, Source
from facesieve.sources.columns import LABEL_COLUMN, PATH_COLUMNS, path_column
from facesieve.sources.folder import from_file
from facesieve.sources.naming import printable
from facesieve.sources.opening import Closed

SUFFIXES = (".txt", ".csv", ".parquet")

_Row = tuple[str | None, str]


def is_table(path: Path) -> bool:
    """Whether a file named by the user is read as a list of paths, by its suffix."""
    return path.suffix.lower() in SUFFIXES


def from_table(path: Path) -> Iterator[Source]:
    """One source a row, in the list's order. A relative path starts at the list's own folder.

    A text list has one path a line; blank lines and lines that begin with # are skipped. CSV and Parquet have a
    column called path, file, filename, file_name or image, and may have one called label; a CSV without such a
    header is a single column of paths.
    Raises UsageError `bad_list` when there is no column of paths, `unreadable_list` when the list cannot be read.
    """
    rows = {".txt": _text, ".csv": _csv, ".parquet": _parquet}[path.suffix.lower()]
    try:
        for number, (picture, label) in rows(path):
            yield _source(path, number, picture, label)
    except OSError as error:
        raise UsageError("unreadable_list", f"The list {path} cannot be read.") from error


def _source(table: Path, number: int, picture: str | None, label: str) -> Source:
    if not picture or "\0" in picture:
        return Source(f"{printable(table.as_posix())}:{number}", printable(label), Closed(RefusalCode.BAD_ROW))
    return from_file(table.parent / picture, printable(label))


def _text(path: Path) -> Iterator[tuple[int, _Row]]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as lines:
        for number, line in enumerate(lines, 1):
            if (picture := line.strip()) and not picture.startswith("#"):
                yield number, (picture, "")


def _csv(path: Path) -> Iterator[tuple[int, _Row]]:
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as lines:
        rows = _rows(csv.reader(lines))
        first = next(rows, None)
        if first is None:
            return
        names = [cell.strip().lower() for cell in first[1]]
        headed = len(names) > 1 or names[0] in PATH_COLUMNS
        picture_at = path_column(path, names) if headed else 0
        label_at = names.index(LABEL_COLUMN) if LABEL_COLUMN in names else len(names)
        for number, cells in rows if headed else chain([first], rows):
            yield number, (_cell(cells, picture_at), _cell(cells, label_at))


def _cell(cells: list[str], at: int) -> str:
    return cells[at].strip() if at < len(cells) else ""


def _rows(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Rows that hold anything, each with its line; an empty path for one that is no CSV."""
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield reader.line_num, [""]
        else:
            if row:
                yield reader.line_num, row


def _parquet(path: Path) -> Iterator[tuple[int, _Row]]:
    from facesieve.sources.parquet import rows  # pyarrow takes a while to import, and 25 MB

    return rows(path)

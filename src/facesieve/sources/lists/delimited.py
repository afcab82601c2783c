"""The rows of lists of plain text: one path per line, CSV and TSV."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from facesieve.errors import UsageError
from facesieve.records import RefusalCode
from facesieve.sources.lists.columns import Columns, choose, has_header, shown, without_header
from facesieve.sources.lists.lines import Line, read_lines
from facesieve.sources.lists.resolve import resolve
from facesieve.sources.lists.row import TOO_LONG, Row
from facesieve.sources.openers import RefusedOpener
from facesieve.sources.remote.url import is_url
from facesieve.sources.search import Search

_SEPARATORS = ",;\t|"


def delimited_rows(path: Path, stream: BinaryIO, search: Search) -> Iterator[Row]:
    """Rows of a text list, a CSV or a TSV. The content shows the encoding and the separator.

    Raises UsageError `bad_list` if no column can be chosen, or a quote is not closed.
    """
    skipped = _Skipped(path, search)
    yield from _rows(path, read_lines(path, stream, search), skipped, search)
    skipped.tell()


def _rows(path: Path, lines: Iterator[Line], skipped: _Skipped, search: Search) -> Iterator[Row]:
    first = next((line for line in lines if line not in skipped), None)
    if first is None:
        return
    if stated := re.fullmatch(r"sep=(.)\s*", first.text):  # Excel writes it above the header
        separator: str | None = stated[1]
        rest = lines
    else:
        separator = _separator(path, first.text, search)
        rest = chain([first], lines)
    if separator is None:
        yield from _paths(line for line in rest if line not in skipped)
        return
    rows = _cells(path, rest, separator, skipped)
    header = next(rows, None)
    if header is None:
        return
    number, cells = header
    if not cells:
        most = f"{csv.field_size_limit():,}"
        raise UsageError(
            "bad_list", f"The first row of the list {shown(path)} has a cell of more than {most} characters."
        )
    if has_header(cells, search):
        columns = choose(path, cells, search)
    else:
        if not _exists(path, cells[0], search) and len(cells) > 1 and not search.options.path_column:
            choose(path, cells, search)  # raises, and names the columns
        columns = without_header(path, len(cells), search)
        rows = chain([(number, cells)], rows)
    yield from _with_columns(path, rows, columns, len(cells), search)


def _paths(lines: Iterator[Line]) -> Iterator[Row]:
    """Each line is a path."""
    for line in lines:
        yield Row(line.number, refusal=TOO_LONG) if line.cut else Row(line.number, line.text.strip())


def _with_columns(
    path: Path, rows: Iterator[tuple[int, list[str]]], columns: Columns, width: int, search: Search
) -> Iterator[Row]:
    """Rows of cells. A row with more cells than the list has columns is refused, because its cells may be shifted."""
    short: list[int] = []
    for number, cells in rows:
        if not cells:
            yield Row(number, refusal=TOO_LONG)
        elif any(cell.strip() for cell in cells[width:]):
            message = (
                f"The row has {len(cells)} cells, and the list has {width} columns;"
                " put a cell that holds a separator in quotes."
            )
            yield Row(number, refusal=RefusedOpener(RefusalCode.BAD_ROW, message))
        else:
            if columns.label is not None and columns.label >= len(cells):
                short.append(number)
            yield Row(number, _cell(cells, columns.picture), _cell(cells, columns.label))
    if short:
        rows_end = "1 row ends" if len(short) == 1 else f"{len(short)} rows end"
        search.tell(
            f"{shown(path)}: {rows_end} before the column of labels, first on line {short[0]}; such rows have no label"
        )


def _cells(path: Path, lines: Iterator[Line], separator: str, skipped: _Skipped) -> Iterator[tuple[int, list[str]]]:
    """The number of the line that each row begins on, and its cells; no cells where the row is too long to parse.

    Raises UsageError if a quote is not closed, because then the ends of the rows after it are unknown.
    """
    first_line = at = 0
    complete = True

    def numbered() -> Iterator[str]:
        nonlocal at, first_line, complete
        for line in lines:
            if not first_line and line in skipped:  # inside a quoted cell every line counts
                continue
            at = line.number
            first_line, complete = first_line or at, complete and not line.cut
            yield f"{line.text}\n"

    reader = csv.reader(numbered(), delimiter=separator, strict=True, skipinitialspace=True)
    while True:
        first_line, complete = 0, True
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if at > first_line or "field larger" not in str(error):
                raise UsageError(
                    "bad_list",
                    f"The list {shown(path)} has a quote on line {first_line} that is not closed as it should be.",
                ) from error
            row = []
        yield first_line, row if complete else []


def _cell(cells: list[str], at: int | None) -> str:
    return cells[at].strip() if at is not None and at < len(cells) else ""


class _Skipped:
    """Lines that are not rows: blank ones and, in a .txt, comments. A comment begins with # and names no file."""

    def __init__(self, path: Path, search: Search) -> None:
        self._path, self._search, self._comments = path, search, 0

    def __contains__(self, line: Line) -> bool:
        if line.blank:
            return True
        if self._path.suffix.lower() != ".txt" or not line.text.lstrip().startswith("#"):
            return False
        if _exists(self._path, line.text.split("\t")[0], self._search):
            return False
        self._comments += 1
        return True

    def tell(self) -> None:
        if self._comments:
            lines = "1 line that begins" if self._comments == 1 else f"{self._comments} lines that begin"
            self._search.tell(f"{shown(self._path)}: skipped {lines} with #")


def _separator(path: Path, line: str, search: Search) -> str | None:
    """The separator that the first row shows; None for a text list of one path per line."""
    suffix = path.suffix.lower()
    if suffix == ".tsv" and "\t" in line:
        return "\t"
    if suffix == ".txt":
        named = has_header([line], search) and not _exists(path, line, search)
        return "\t" if "\t" in line.strip() or named else None
    rows = {separator: _split(line, separator) for separator in _SEPARATORS}
    # A URL that holds a separator must be in quotes, because the rest of the row may be a label.
    if _exists(path, line, search) and not (is_url(line.strip()) and any(len(cells) > 1 for cells in rows.values())):
        return None
    for separator, cells in rows.items():
        if len(cells) > 1 and has_header(cells, search):
            return separator
    for separator, cells in rows.items():
        if len(cells) > 1 and _exists(path, cells[0], search):
            return separator
    return "\t" if suffix == ".tsv" else max(rows, key=lambda separator: len(rows[separator]))


def _split(line: str, separator: str) -> list[str]:
    """The cells of a row; none where one of them is too long to parse."""
    try:
        return next(csv.reader([line], delimiter=separator), [""])
    except csv.Error:
        return []


def _exists(path: Path, text: str, search: Search) -> bool:
    """Whether a cell is a URL, or names a file that is there."""
    if is_url(text.strip()):
        return True
    try:
        return os.path.lexists(resolve(path, text.strip(), search.options.list_encoding))
    except UnicodeError:
        return False

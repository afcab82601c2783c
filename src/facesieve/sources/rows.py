"""The rows of lists as text: one path a line, CSV and TSV, JSON lines."""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from facesieve.errors import UsageError
from facesieve.records import RefusalCode
from facesieve.sources.columns import Columns, choose, has_header, shown, tell_unused, without_header
from facesieve.sources.opening import Closed
from facesieve.sources.state import Search
from facesieve.sources.target import target

_NOT_DECODED = re.compile("[\udc80-\udcff]")
LONGEST_LINE = 1 << 18  # characters; no path is as long
_SEPARATORS = ",;\t|"
_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


Line = tuple[int, str, bool]  # its number, its text, and whether that is only its beginning


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a list. picture: a path, the picture's bytes, both in a dict; None where the row is unusable.

    refusal: why the row cannot be used, where more is to say than that it names no file.
    """

    number: int
    picture: Any = None
    label: Any = None
    refusal: Closed | None = None


def text_rows(path: Path, stream: BinaryIO, search: Search) -> Iterator[Row]:
    """Rows of a text list, a CSV or a TSV. Encoding and separator are told from the content.

    Raises UsageError `bad_list` where columns cannot be told, or a quote is not closed.
    """
    skipped = _Skipped(path, search)
    yield from _text_rows(path, _lines(path, stream, search), skipped, search)
    skipped.tell()


def _text_rows(path: Path, lines: Iterator[Line], skipped: _Skipped, search: Search) -> Iterator[Row]:
    first = next((line for line in lines if line not in skipped), None)
    if first is None:
        return
    if told := re.fullmatch(r"sep=(.)\s*", first[1]):  # Excel writes it above the header
        separator: str | None = told[1]
        rest = lines
    else:
        separator = _separator(path, first[1], search)
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
            choose(path, cells, search)  # raises
        columns = without_header(path, len(cells), search)
        rows = chain([(number, cells)], rows)
    yield from _table(path, rows, columns, len(cells), search)


def _table(
    path: Path, rows: Iterator[tuple[int, list[str]]], columns: Columns, width: int, search: Search
) -> Iterator[Row]:
    """Rows of cells. One that has more cells than the list has columns is off, as nobody knows which belongs where."""
    short: list[int] = []
    for number, cells in rows:
        if not cells:
            yield Row(number, refusal=Closed(RefusalCode.BAD_ROW, "The row is too long."))
        elif any(cell.strip() for cell in cells[width:]):
            message = (
                f"The row has {len(cells)} cells, and the list {width} columns;"
                " a cell that holds a separator is written in quotes."
            )
            yield Row(number, refusal=Closed(RefusalCode.BAD_ROW, message))
        else:
            if columns.label is not None and columns.label >= len(cells):
                short.append(number)
            yield Row(number, _cell(cells, columns.picture), _cell(cells, columns.label))
    if short:
        rows_end = "1 row ends" if len(short) == 1 else f"{len(short)} rows end"
        search.tell(
            f"{shown(path)}: {rows_end} before the column of labels, first on line {short[0]}; such rows have no label"
        )


def json_rows(path: Path, stream: BinaryIO, search: Search) -> Iterator[Row]:
    """Rows of a list of JSON values, one a line: an object with named values, or a path."""
    chosen: dict[tuple[str, ...], Columns] = {}
    unused: dict[str, None] = {}
    quiet = Search(search.settings, search.options)  # what is unused is told once, not once per kind of row
    for number, line, cut in _lines(path, stream, search):
        if _blank(line):
            continue
        try:
            value = None if cut else json.loads(line)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            yield Row(number, value if isinstance(value, str) else None)
            continue
        names = tuple(value)
        if names not in chosen:
            try:
                chosen[names] = choose(path, names, quiet)
            except UsageError:
                if not chosen:
                    raise
                yield Row(number)
                continue
            used = (chosen[names].picture, chosen[names].label)
            unused |= {name: None for at, name in enumerate(names) if at not in used}
        values, columns = list(value.values()), chosen[names]
        yield Row(number, values[columns.picture], None if columns.label is None else values[columns.label])
    tell_unused(path, list(unused), search)


def _lines(path: Path, stream: BinaryIO, search: Search) -> Iterator[Line]:
    """Lines without their end. Of a line that is too long the beginning. Raises UsageError where none ends."""
    chosen = search.options.list_encoding
    start = stream.read(4096)
    stream.seek(0)
    encoding = _encoding(start, chosen)
    errors = "replace" if encoding.startswith(("utf-16", "utf-32")) else "surrogateescape"
    text = io.TextIOWrapper(stream, encoding, errors, newline=None)
    number = 0
    while line := text.readline(LONGEST_LINE):
        number += 1
        cut = len(line) == LONGEST_LINE and not line.endswith("\n")
        if cut and number == 1:
            raise UsageError("bad_list", f"{shown(path)} is no list: its first line is longer than any path.")
        if not line.isascii() and _NOT_DECODED.search(line):
            hint = "another encoding" if chosen else "an encoding, such as cp1252, gbk or shift_jis"
            search.tell(f"{shown(path)}: some rows are not {chosen or 'UTF-8'}; --list-encoding chooses {hint}")
        yield number, line.rstrip("\n"), cut
        while cut and (more := text.readline(LONGEST_LINE)):
            cut = not more.endswith("\n")


def _encoding(start: bytes, chosen: str | None) -> str:
    for bom, encoding in _BOMS.items():
        if start.startswith(bom):
            return encoding
    if chosen:
        return chosen
    even, odd = start[::2].count(0), start[1::2].count(0)
    half = len(start) // 4
    if len(start) >= 4 and max(even, odd) > half and min(even, odd) < half // 4 + 1:
        return "utf-16-le" if odd > even else "utf-16-be"
    return "utf-8"


def _blank(line: str) -> bool:
    return not line.strip()


class _Skipped:
    """The lines of a list that are no rows: blank ones, and in a .txt those that begin with # and name no file."""

    def __init__(self, path: Path, search: Search) -> None:
        self._path, self._search, self._comments = path, search, 0

    def __contains__(self, line: Line) -> bool:
        text = line[1]
        if _blank(text):
            return True
        if self._path.suffix.lower() != ".txt" or not text.lstrip().startswith("#"):
            return False
        if _exists(self._path, text.split("\t")[0], self._search):
            return False
        self._comments += 1
        return True

    def tell(self) -> None:
        if self._comments:
            lines = "1 line that begins" if self._comments == 1 else f"{self._comments} lines that begin"
            self._search.tell(f"{shown(self._path)}: skipped {lines} with #")


def _separator(path: Path, line: str, search: Search) -> str | None:
    """What separates the columns, told from the first row; None for a text list of one path a line."""
    kind = path.suffix.lower()
    if kind == ".tsv":
        return "\t"
    if kind == ".txt":
        named = has_header([line], search) and not _exists(path, line, search)
        return "\t" if "\t" in line.strip() or named else None
    if _exists(path, line, search):
        return None
    rows = {separator: _split(line, separator) for separator in _SEPARATORS}
    for separator, cells in rows.items():
        if len(cells) > 1 and has_header(cells, search):
            return separator
    for separator, cells in rows.items():
        if len(cells) > 1 and _exists(path, cells[0], search):
            return separator
    return max(rows, key=lambda separator: len(rows[separator]))


def _split(line: str, separator: str) -> list[str]:
    """The cells of a row; none where one is beyond the parser's limit."""
    try:
        return next(csv.reader([line], delimiter=separator), [""])
    except csv.Error:
        return []


def _paths(lines: Iterator[Line]) -> Iterator[Row]:
    for number, line, _ in lines:
        yield Row(number, line.strip())


def _cells(path: Path, lines: Iterator[Line], separator: str, skipped: _Skipped) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line that each begins on. A row beyond the parser's limit has no cells.

    Raises UsageError where a quote is not closed, for then nobody knows where rows end.
    """
    began = at = 0
    whole = True

    def numbered() -> Iterator[str]:
        nonlocal at, began, whole
        for line in lines:
            if not began and line in skipped:  # but not inside a quoted cell, which may hold what it likes
                continue
            at, text, cut = line
            began, whole = began or at, whole and not cut
            yield f"{text}\n"

    reader = csv.reader(numbered(), delimiter=separator, strict=True, skipinitialspace=True)
    while True:
        began, whole = 0, True
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if at > began or "field larger" not in str(error):
                raise UsageError(
                    "bad_list",
                    f"The list {shown(path)} has a quote on line {began} that is not closed as it should be.",
                ) from error
            row = []
        yield began, row if whole else []


def _cell(cells: list[str], at: int | None) -> str:
    return cells[at].strip() if at is not None and at < len(cells) else ""


def _exists(table: Path, text: str, search: Search) -> bool:
    try:
        return os.path.lexists(target(table, text.strip(), search.options.list_encoding))
    except UnicodeError:
        return False


READERS: dict[str, Callable[[Path, BinaryIO, Search], Iterator[Row]]] = {
    ".txt": text_rows,
    ".csv": text_rows,
    ".tsv": text_rows,
    ".jsonl": json_rows,
    ".ndjson": json_rows,
}

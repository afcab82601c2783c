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
from facesieve.sources.columns import Columns, choose, has_header, shown, tell_unused, without_header
from facesieve.sources.state import Search

LONGEST_LINE = 1 << 18  # characters; no path is as long
_SEPARATORS = ",;\t|"
_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a list. picture: a path, the picture's bytes, both in a dict; None where the row is unusable."""

    number: int
    picture: Any
    label: Any = None


def text_rows(path: Path, stream: BinaryIO, search: Search) -> Iterator[Row]:
    """Rows of a text list, a CSV or a TSV. Encoding and separator are told from the content.

    Raises UsageError `bad_list` where columns cannot be told, or a quote is not closed.
    """
    lines = _lines(path, stream)
    skip = _comment if path.suffix.lower() == ".txt" else _blank
    numbered = ((number, line) for number, line in enumerate(lines, 1) if not skip(line))
    first = next(numbered, None)
    if first is None:
        return
    if told := re.fullmatch(r"sep=(.)\s*", first[1]):  # Excel writes it above the header
        separator: str | None = told[1]
        first = next(numbered, None)
    else:
        separator = _separator(path, first[1], search)
    rest = chain([first] if first else [], numbered)
    if separator is None:
        yield from _paths(rest)
        return
    rows = _cells(path, rest, separator)
    header = next(rows, None)
    if header is None:
        return
    number, cells = header
    if has_header(cells, search):
        columns = choose(path, cells, search)
    else:
        if not _exists(path, cells[0]) and len(cells) > 1 and not search.options.path_column:
            choose(path, cells, search)  # raises
        columns = without_header(path, len(cells), search)
        rows = chain([(number, cells)], rows)
    for number, cells in rows:
        yield Row(number, _cell(cells, columns.picture), _cell(cells, columns.label))


def json_rows(path: Path, stream: BinaryIO, search: Search) -> Iterator[Row]:
    """Rows of a list of JSON values, one a line: an object with named values, or a path."""
    chosen: dict[tuple[str, ...], Columns] = {}
    unused: dict[str, None] = {}
    quiet = Search(search.settings, search.options)  # what is unused is told once, not once per kind of row
    for number, line in enumerate(_lines(path, stream), 1):
        if _blank(line):
            continue
        try:
            value = json.loads(line)
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
                yield Row(number, None)
                continue
            used = (chosen[names].picture, chosen[names].label)
            unused |= {name: None for at, name in enumerate(names) if at not in used}
        values, columns = list(value.values()), chosen[names]
        yield Row(number, values[columns.picture], None if columns.label is None else values[columns.label])
    tell_unused(path, list(unused), search)


def _lines(path: Path, stream: BinaryIO) -> Iterator[str]:
    """Lines without their end. Of a line that is too long the beginning. Raises UsageError where none ends."""
    start = stream.read(4096)
    stream.seek(0)
    encoding = _encoding(start)
    errors = "surrogateescape" if encoding.startswith("utf-8") else "replace"
    text = io.TextIOWrapper(stream, encoding, errors, newline=None)
    first = True
    while line := text.readline(LONGEST_LINE):
        cut = len(line) == LONGEST_LINE and not line.endswith("\n")
        if cut and first:
            raise UsageError("bad_list", f"{shown(path)} is no list: its first line is longer than any path.")
        yield line.rstrip("\n")
        while cut and (more := text.readline(LONGEST_LINE)):
            cut = not more.endswith("\n")
        first = False


def _encoding(start: bytes) -> str:
    for bom, encoding in _BOMS.items():
        if start.startswith(bom):
            return encoding
    even, odd = start[::2].count(0), start[1::2].count(0)
    half = len(start) // 4
    if len(start) >= 4 and max(even, odd) > half and min(even, odd) < half // 4 + 1:
        return "utf-16-le" if odd > even else "utf-16-be"
    return "utf-8"


def _blank(line: str) -> bool:
    return not line.strip()


def _comment(line: str) -> bool:
    return _blank(line) or line.lstrip().startswith("#")


def _separator(path: Path, line: str, search: Search) -> str | None:
    """What separates the columns, told from the first row; None for a text list of one path a line."""
    kind = path.suffix.lower()
    if kind == ".tsv":
        return "\t"
    if kind == ".txt":
        named = has_header([line], search) and not _exists(path, line)
        return "\t" if "\t" in line.strip() or named else None
    if _exists(path, line):
        return None
    rows = {separator: next(csv.reader([line], delimiter=separator), [""]) for separator in _SEPARATORS}
    for separator, cells in rows.items():
        if len(cells) > 1 and has_header(cells, search):
            return separator
    for separator, cells in rows.items():
        if len(cells) > 1 and _exists(path, cells[0]):
            return separator
    return max(rows, key=lambda separator: len(rows[separator]))


def _paths(lines: Iterator[tuple[int, str]]) -> Iterator[Row]:
    for number, line in lines:
        yield Row(number, line.strip())


def _cells(path: Path, lines: Iterator[tuple[int, str]], separator: str) -> Iterator[tuple[int, list[str]]]:
    """Rows with the line that each begins on. A row beyond the parser's limit has no cells.

    Raises UsageError where a quote is not closed, for then nobody knows where rows end.
    """
    began = at = 0

    def numbered() -> Iterator[str]:
        nonlocal at, began
        for at, line in lines:
            began = began or at
            yield f"{line}\n"

    reader = csv.reader(numbered(), delimiter=separator, strict=True, skipinitialspace=True)
    while True:
        began = 0
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
            row = [""]
        yield began, row


def _cell(cells: list[str], at: int | None) -> str:
    return cells[at].strip() if at is not None and at < len(cells) else ""


def _exists(table: Path, text: str) -> bool:
    return os.path.lexists(os.path.join(table.parent, text.strip()))  # noqa: PTH118


READERS: dict[str, Callable[[Path, BinaryIO, Search], Iterator[Row]]] = {
    ".txt": text_rows,
    ".csv": text_rows,
    ".tsv": text_rows,
    ".jsonl": json_rows,
    ".ndjson": json_rows,
}

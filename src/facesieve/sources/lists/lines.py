"""The lines of a list that is text, in the encoding that its first bytes show or the user chose."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from facesieve.errors import UsageError
from facesieve.sources.lists.binary import HEAD, refuse_binary
from facesieve.sources.lists.columns import shown
from facesieve.sources.search import Search

LONGEST_LINE = 1 << 18  # characters; no path is as long

_NOT_DECODED = re.compile("[\udc80-\udcff]")
_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class Line(NamedTuple):
    """A line without its end. number: from 1. cut: whether `text` is only its beginning, because it is too long."""

    number: int
    text: str
    cut: bool

    @property
    def blank(self) -> bool:
        return not self.text.strip()


def read_lines(path: Path, stream: BinaryIO, search: Search) -> Iterator[Line]:
    """All lines, including blank ones. Tells the user when some are not in the expected encoding.

    Raises UsageError `bad_list` if the file is not text, or if the first line is too long for a list.
    """
    chosen = search.options.list_encoding
    start = stream.read(HEAD)
    stream.seek(0)
    encoding = _encoding(start, chosen)
    wide = encoding.startswith(("utf-16", "utf-32"))
    if not (wide or chosen):  # the text of some encodings has such bytes
        refuse_binary(path, start)
    errors = "replace" if wide else "surrogateescape"
    text = io.TextIOWrapper(stream, encoding, errors, newline=None)
    number = 0
    while line := text.readline(LONGEST_LINE):
        number += 1
        cut = len(line) == LONGEST_LINE and not line.endswith("\n")
        if cut and number == 1:
            raise UsageError("bad_list", f"{shown(path)} is not a list: its first line is longer than any path.")
        if not line.isascii() and _NOT_DECODED.search(line):
            hint = "another encoding" if chosen else "an encoding, such as cp1252, gbk or shift_jis"
            search.tell(f"{shown(path)}: some rows are not {chosen or 'UTF-8'}; --list-encoding chooses {hint}")
        yield Line(number, line.rstrip("\n"), cut)
        while cut and (more := text.readline(LONGEST_LINE)):
            cut = not more.endswith("\n")


def _encoding(start: bytes, chosen: str | None) -> str:
    """A byte order mark counts first, then the user's choice, then the zero bytes that UTF-16 has in Latin text."""
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

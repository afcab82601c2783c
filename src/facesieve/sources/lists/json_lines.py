"""The rows of a list of JSON lines: on each line an object with named values, or a path."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from facesieve.errors import UsageError
from facesieve.records import RefusalCode
from facesieve.sources.lists.columns import Columns, choose, tell_unused
from facesieve.sources.lists.lines import read_lines
from facesieve.sources.lists.row import TOO_LONG, Row
from facesieve.sources.openers import RefusedOpener
from facesieve.sources.search import Search

_NOT_JSON = RefusedOpener(RefusalCode.BAD_ROW, "The line is not JSON.")


def json_rows(path: Path, stream: BinaryIO, search: Search) -> Iterator[Row]:
    """One row per line that is not blank. Objects may differ in their names; columns are chosen for each set of names.

    Raises UsageError `bad_list` where the first object has no column of pictures.
    """
    chosen: dict[tuple[str, ...], Columns] = {}
    unused: dict[str, None] = {}
    silent = Search(search.settings, search.options)  # unused columns are reported once, not once per set of names
    for line in read_lines(path, stream, search):
        if line.blank:
            continue
        if line.cut:
            yield Row(line.number, refusal=TOO_LONG)
            continue
        try:
            value = json.loads(line.text)
        except (ValueError, RecursionError):
            yield Row(line.number, refusal=_NOT_JSON)
            continue
        if not isinstance(value, dict):
            yield Row(line.number, value if isinstance(value, str) else None)
            continue
        names = tuple(value)
        if names not in chosen:
            try:
                chosen[names] = choose(path, names, silent)
            except UsageError:
                if not chosen:
                    raise
                yield Row(line.number)
                continue
            used = (chosen[names].picture, chosen[names].label)
            unused |= {name: None for at, name in enumerate(names) if at not in used}
        values, columns = list(value.values()), chosen[names]
        yield Row(line.number, values[columns.picture], None if columns.label is None else values[columns.label])
    tell_unused(path, list(unused), search)

"""Which columns of a list hold pictures and labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facesieve.errors import UsageError
from facesieve.records import displayed
from facesieve.sources.state import Search

PATH_COLUMNS = ("path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "img_path")
LABEL_COLUMNS = ("label", "person", "identity", "class", "name")


@dataclass(frozen=True, slots=True)
class Columns:
    """The place of the column of pictures, and of the labels where there is one."""

    picture: int
    label: int | None = None


def has_header(cells: Sequence[str], search: Search) -> bool:
    """Whether the first row of a list names columns that are known, or that the user asked for."""
    names = [_plain(cell) for cell in cells]
    known = {*PATH_COLUMNS, *(LABEL_COLUMNS if len(names) > 1 else ())}
    asked = {_plain(name) for name in (search.options.path_column, search.options.label_column) if name}
    return any(name in known | asked for name in names)


def choose(table: Path, names: Sequence[str], search: Search) -> Columns:
    """The columns to use of those that a list has. Columns that are not used are told.

    Raises UsageError `bad_list` when no column holds pictures, one that was asked for is absent, or two have one name.
    """
    asked = search.options
    picture = _find(table, names, [asked.path_column] if asked.path_column else PATH_COLUMNS)
    if picture is None:
        wanted = repr(asked.path_column) if asked.path_column else ", ".join(PATH_COLUMNS)
        raise UsageError(
            "bad_list",
            f"The list {shown(table)} has no column called {wanted}. It has: {_listed(names)}."
            " --path-column names the column of paths.",
        )
    label = _find(table, names, [asked.label_column] if asked.label_column else LABEL_COLUMNS)
    if label is None and asked.label_column:
        raise UsageError(
            "bad_list",
            f"The list {shown(table)} has no column called {asked.label_column!r}. It has: {_listed(names)}.",
        )
    columns = Columns(picture, None if label == picture else label)
    tell_unused(table, [name for at, name in enumerate(names) if at not in (columns.picture, columns.label)], search)
    return columns


def without_header(table: Path, width: int, search: Search) -> Columns:
    """The columns of a list whose first row is data: numbers of the user's, or one of paths and perhaps one of labels.

    Raises UsageError `bad_list` when they cannot be told.
    """
    asked = (search.options.path_column, search.options.label_column)
    numbers = [int(name) for name in asked if name and name.isdecimal()]
    if any(asked):
        if len(numbers) < len([name for name in asked if name]) or not all(0 < n <= width for n in numbers):
            raise UsageError(
                "bad_list",
                f"The list {shown(table)} has no header with the column that was asked for;"
                f" --path-column and --label-column take numbers from 1 to {width}.",
            )
        picture = int(asked[0]) - 1 if asked[0] else 0
        return Columns(picture, int(asked[1]) - 1 if asked[1] else None)
    if width > 2:
        raise UsageError(
            "bad_list",
            f"The list {shown(table)} has {width} columns and no header;"
            " --path-column and --label-column choose them by number, from 1.",
        )
    if width == 2:
        search.tell(f"{shown(table)} has no header: column 1 was taken for paths, column 2 for labels")
    return Columns(0, 1 if width == 2 else None)


def tell_unused(table: Path, names: Sequence[str], search: Search) -> None:
    """Tell which columns of a list are not used."""
    if names:
        search.tell(f"{shown(table)}: columns not used: {_listed(names)}")


def shown(table: Path) -> str:
    """A list's own name, for sentences."""
    return displayed(table.as_posix())


def _find(table: Path, names: Sequence[str], wanted: Sequence[str]) -> int | None:
    """The first wanted column: as it is spelled, else in capitals or small letters."""
    for name in wanted:
        for spelled in (list(names), [_plain(one) for one in names]):
            at = [index for index, one in enumerate(spelled) if one in (name, _plain(name))]
            if len(at) > 1:
                raise UsageError(
                    "bad_list", f"The list {shown(table)} has {len(at)} columns called {name!r}; rename all but one."
                )
            if at:
                return at[0]
    return None


def _plain(name: str) -> str:
    return name.strip().casefold()


def _listed(names: Sequence[str]) -> str:
    most = 20
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(displayed(name.strip()[:100]) or "''" for name in names[:most]) + more

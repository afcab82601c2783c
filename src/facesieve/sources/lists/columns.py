"""Which column of a list holds the pictures, and which one the labels: one rule for every format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facesieve.errors import UsageError
from facesieve.records import displayed
from facesieve.sources.search import Search

PATH_COLUMNS = (
    *("path", "file", "filename", "file_name", "filepath", "file_path", "image", "image_path", "img_path"),
    *("url", "image_url"),
)
LABEL_COLUMNS = ("label", "person", "identity", "class", "name")


@dataclass(frozen=True, slots=True)
class Columns:
    """The index of the column of pictures, and of the column of labels where there is one; from 0."""

    picture: int
    label: int | None = None


def has_header(cells: Sequence[str], search: Search) -> bool:
    """Whether the first row of a list holds names of columns: known ones, or those that the user chose."""
    names = [_plain(cell) for cell in cells]
    known = {*PATH_COLUMNS, *(LABEL_COLUMNS if len(names) > 1 else ())}
    chosen = {_plain(name) for name in (search.options.path_column, search.options.label_column) if name}
    return any(name in known | chosen for name in names)


def choose(path: Path, names: Sequence[str], search: Search) -> Columns:
    """The columns to use of a list whose columns have these names. Tells the user which columns are not used.

    Raises UsageError `bad_list` when no column holds pictures, when a column that the user chose is absent, and when
    two columns have the same name.
    """
    options = search.options
    picture = _find(path, names, [options.path_column] if options.path_column else PATH_COLUMNS)
    if picture is None:
        wanted = repr(options.path_column) if options.path_column else ", ".join(PATH_COLUMNS)
        raise UsageError(
            "bad_list",
            f"The list {shown(path)} has no column called {wanted}. It has: {_listed(names)}."
            " --path-column names the column of paths.",
        )
    label = _find(path, names, [options.label_column] if options.label_column else LABEL_COLUMNS)
    if label is None and options.label_column:
        raise UsageError(
            "bad_list",
            f"The list {shown(path)} has no column called {options.label_column!r}. It has: {_listed(names)}.",
        )
    columns = Columns(picture, None if label == picture else label)
    tell_unused(path, [name for at, name in enumerate(names) if at not in (columns.picture, columns.label)], search)
    return columns


def without_header(path: Path, width: int, search: Search) -> Columns:
    """The columns of a list whose first row is data: those that the user chose by number, else paths, then labels.

    Raises UsageError `bad_list` when there are more than two columns and the user chose none, and when the user's
    choice is not the number of a column.
    """
    chosen = (search.options.path_column, search.options.label_column)
    numbers = [int(name) for name in chosen if name and name.isdecimal()]
    if any(chosen):
        if len(numbers) < len([name for name in chosen if name]) or not all(0 < n <= width for n in numbers):
            raise UsageError(
                "bad_list",
                f"The list {shown(path)} has no header with the column that was asked for;"
                f" --path-column and --label-column take numbers from 1 to {width}.",
            )
        picture = int(chosen[0]) - 1 if chosen[0] else 0
        return Columns(picture, int(chosen[1]) - 1 if chosen[1] else None)
    if width > 2:
        raise UsageError(
            "bad_list",
            f"The list {shown(path)} has {width} columns and no header;"
            " --path-column and --label-column choose them by number, from 1.",
        )
    if width == 2:
        search.tell(f"{shown(path)} has no header: column 1 was taken for paths, column 2 for labels")
    return Columns(0, 1 if width == 2 else None)


def tell_unused(path: Path, names: Sequence[str], search: Search) -> None:
    """Tell the user which columns of a list are not used."""
    if names:
        search.tell(f"{shown(path)}: columns not used: {_listed(names)}")


def shown(path: Path) -> str:
    """The name of a list in messages."""
    return displayed(path.as_posix())


def _find(path: Path, names: Sequence[str], wanted: Sequence[str]) -> int | None:
    """The index of the first wanted column: spelled exactly so, else without regard to case and spaces around it."""
    for name in wanted:
        for spelled in (list(names), [_plain(one) for one in names]):
            at = [index for index, one in enumerate(spelled) if one in (name, _plain(name))]
            if len(at) > 1:
                raise UsageError(
                    "bad_list", f"The list {shown(path)} has {len(at)} columns called {name!r}; rename all but one."
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

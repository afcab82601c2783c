"""Which columns of a list hold paths and labels."""

from __future__ import annotations

from pathlib import Path

from facesieve.errors import UsageError

PATH_COLUMNS = ("path", "file", "filename", "file_name", "image")
LABEL_COLUMN = "label"


def path_column(path: Path, names: list[str]) -> int:
    """The index of the column of paths among lower-cased names. Raises UsageError `bad_list` when there is none."""
    for wanted in PATH_COLUMNS:
        if wanted in names:
            return names.index(wanted)
    raise UsageError("bad_list", f"The list {path} has no column called {', '.join(PATH_COLUMNS)}.")

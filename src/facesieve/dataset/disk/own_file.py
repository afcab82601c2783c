"""Opens the files of a dataset, and the errors for one that is missing or damaged."""

from __future__ import annotations

import os
from io import BufferedReader
from pathlib import Path
from shlex import quote

from facesieve.errors import DatasetError
from facesieve.regular_file import NotAFileError, open_regular


def open_own_file(path: Path) -> BufferedReader:
    """A stream of a file that belongs to a dataset. It never waits for a pipe or device.

    Raises DatasetError `damaged_dataset` if this is not a regular file, and OSError.
    """
    try:
        return open_regular(path)
    except NotAFileError as error:
        raise damaged_file(path, f"{error.strerror}".replace("T", "t", 1)) from error


def missing_file(path: Path) -> DatasetError:
    """The error for a file that every finished dataset has."""
    if path.parent.is_file():
        return DatasetError("not_a_dataset", f"{path.parent} is a file, and a dataset is a folder that a build wrote.")
    repair = f" Run `{check_command(path)} --repair`." if (path.parent / "dataset.json").exists() else ""
    return DatasetError("not_a_dataset", f"{path} is missing, so this is not a finished dataset.{repair}")


def damaged_file(path: Path, detail: str = "") -> DatasetError:
    """The error for a file whose content is not what was written. detail: what is wrong with it."""
    return DatasetError(
        "damaged_dataset",
        f"{path} is damaged{f': {detail}' if detail else ''}. "
        f"Run `{check_command(path)} --repair` to repair what can be repaired.",
    )


def check_command(path: Path) -> str:
    """The command that checks the dataset that has this file.

    >>> check_command(Path("of no dataset"))
    'facesieve check DATASET'
    """
    roots = (folder for folder in (path, *path.parents) if any(map(os.path.exists, _signs(folder))))
    return f"facesieve check {quote(str(next(roots, 'DATASET')))}"


def _signs(root: Path) -> tuple[Path, Path]:
    """What tells that a folder is a dataset; `layout` has these names too, and imports this module."""
    return root / ".facesieve", root / "dataset.json"

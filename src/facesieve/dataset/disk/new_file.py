"""A file that a user names for a result. It is written whole or not at all, and no other file is overwritten."""

from __future__ import annotations

import os
from pathlib import Path

from facesieve.dataset.disk.atomic import wrap_write_errors, write_file_durably
from facesieve.dataset.disk.layout import Layout
from facesieve.errors import DatasetError, UsageError

_FIRST = 8192  # bytes in which the mark of a former result lies


def check_new(path: Path, *suffixes: str, mark: bytes = b"") -> None:
    """Raise an error if this file must not be written.

    suffixes: how its name may end. mark: a file whose first bytes contain this is a former result and may be replaced;
    empty: no file may be replaced.
    Raises UsageError `bad_output` for a wrong name or a folder, UsageError `file_exists`, and DatasetError
    `cannot_write` if its folder does not exist.
    """
    ending = " or ".join(suffixes)
    if not path.name:
        raise UsageError("bad_output", f"Name the file to write. Its name has to end in {ending}.")
    with wrap_write_errors(path):
        if path.is_dir():
            raise UsageError("bad_output", f"{path} is a folder. Name a file whose name ends in {ending}.")
        if path.suffix not in suffixes:
            raise UsageError("bad_output", f"The name of {path} has to end in {ending}.")
        if not path.parent.is_dir():
            raise DatasetError("cannot_write", f"Cannot write {path}: there is no folder {path.parent}. Make it first.")
        if os.path.lexists(path) and not (mark and path.is_file() and mark in _first_bytes(path)):
            raise UsageError("file_exists", f"{path} exists already. Name a new file, or remove it.")


def check_outside(path: Path) -> None:
    """Raise UsageError `bad_output` if a file is inside the folder of a dataset."""
    for folder in Path(os.path.realpath(path)).parents:
        if Layout(folder).made.exists() or Layout(folder).about.exists():
            raise UsageError("bad_output", f"{path} is inside the dataset {folder}. Name a file elsewhere.")


def write_new(path: Path, data: bytes) -> None:
    """Write a file. Raises DatasetError `cannot_write`."""
    write_file_durably(data, path, path.parent)


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(_FIRST)

"""Writes what was found to a new file, whole or not at all."""

from __future__ import annotations

from pathlib import Path

from facesieve.dataset.disk.atomic import write_file_durably
from facesieve.errors import UsageError


def check_new(path: Path, suffix: str) -> None:
    """Raise UsageError if the file exists, or if its name does not end as programs expect."""
    if path.suffix != suffix:
        raise UsageError("bad_file_name", f"The name of {path} has to end in {suffix}.")
    if path.exists() or path.is_symlink():
        raise UsageError("file_exists", f"{path} exists already. Name a new file, or remove it.")


def write_new(path: Path, text: str) -> None:
    """Write a file. Raises DatasetError `cannot_write`."""
    write_file_durably(text.encode(), path, path.parent)

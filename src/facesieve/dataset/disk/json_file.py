"""JSON files of a dataset: written so that a person can read them, and checked when they are read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from facesieve.dataset.disk.atomic import wrap_read_errors, write_file_durably
from facesieve.dataset.disk.checksums import Checksum, checksum_of
from facesieve.dataset.disk.own_file import damaged_file, missing_file, open_own_file


def json_bytes(values: dict[str, Any]) -> bytes:
    """The content of a JSON file: indented, with a line break at the end."""
    return (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode()


def write_json(values: dict[str, Any], path: Path, scratch: Path) -> None:
    """Write a JSON file atomically and durably. Raises DatasetError if it cannot be written."""
    write_file_durably(json_bytes(values), path, scratch)


def read_json(path: Path, known: frozenset[Checksum] = frozenset()) -> dict[str, Any]:
    """The object in a JSON file. Raises DatasetError if the file is missing, unreadable or damaged.

    known: the checksums that the file may have. An empty set skips the check.
    """
    with wrap_read_errors(path):
        try:
            with open_own_file(path) as stream:
                data = stream.read()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise missing_file(path) from error
    if known and checksum_of(data) not in known:
        raise damaged_file(path)
    try:
        values = json.loads(data)
        json_bytes(values)  # fails on unpaired surrogates, which could not be written again
    except (ValueError, RecursionError) as error:
        raise damaged_file(path) from error
    if not isinstance(values, dict):
        raise damaged_file(path)
    return values

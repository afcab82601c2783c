"""Which file a path in a list means."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def resolve(path: Path, text: str, encoding: str | None = None) -> Path:
    """The file that the list at `path` names with `text`; a relative path starts at the list's own folder.

    encoding: of the list, where that is not Unicode: the names on the disk may be in the same bytes.
    Raises UnicodeError where the text cannot be encoded.
    """
    files = [path.parent / spelled for spelled in _spellings(text, encoding)]
    if len(files) > 1:  # with one spelling, the caller sees whether it is there
        files = [file for file in files if os.path.lexists(file)] or files
    return files[0]


def _spellings(text: str, encoding: str | None) -> Iterator[str]:
    """The spellings to try, the path itself first. `os.fsdecode` makes names that Python can open in any locale."""
    for written in dict.fromkeys((text, text.replace("\\", "/"))):  # a list from Windows has backslashes
        yield os.fsdecode(written.encode("utf-8", "surrogateescape"))
        if encoding and not written.isascii():
            try:
                yield os.fsdecode(written.encode(encoding, "surrogateescape"))
            except UnicodeError:
                continue

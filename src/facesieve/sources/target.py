"""Where a path that is written in a list leads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path


def target(table: Path, text: str, encoding: str | None = None) -> Path:
    """The file that a list names; a relative path starts at the list's own folder.

    encoding: how the list's text is encoded where it is no Unicode, for a disk may have names in the same bytes.
    Raises UnicodeError for what is no text.
    """
    places = [table.parent / spelled for spelled in _spellings(text, encoding)]
    if len(places) > 1:  # else the caller sees whether it is there
        places = [place for place in places if os.path.lexists(place)] or places
    return places[0]


def _spellings(text: str, encoding: str | None) -> Iterator[str]:
    """The path itself first. Python holds the bytes of a name otherwise where its locale is not UTF-8."""
    for written in dict.fromkeys((text, text.replace("\\", "/"))):  # Windows wrote the one, and means the other
        yield os.fsdecode(written.encode("utf-8", "surrogateescape"))
        if encoding and not written.isascii():
            try:
                yield os.fsdecode(written.encode(encoding, "surrogateescape"))
            except UnicodeError:
                continue

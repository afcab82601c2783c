"""Whether picture files are intact, judged by their size and last bytes alone."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from facesieve.dataset.disk.atomic import wrap_read_errors
from facesieve.dataset.disk.checksums import Checksums
from facesieve.dataset.disk.layout import file_size
from facesieve.dataset.disk.own_file import open_own_file

_END_MARKERS = {".png": b"IEND\xaeB`\x82", ".jpg": b"\xff\xd9"}


def broken_files(names: Iterable[str], checksums: Checksums, root: Path) -> list[str]:
    """The names whose files are missing, empty or of the wrong size.

    A file with a checksum is not opened. A file without one is opened, and must end with the end marker of its format.
    """
    return [name for name in names if not _is_intact(name, file_size(root / name), checksums, root)]


def has_end_marker(path: Path) -> bool:
    """Whether a PNG or JPEG file ends with the end marker of its format. A truncated file does not."""
    marker = _END_MARKERS.get(path.suffix, b"")
    with wrap_read_errors(path), open_own_file(path) as stream:
        stream.seek(0, os.SEEK_END)
        stream.seek(max(0, stream.tell() - len(marker)))
        return stream.read() == marker


def _is_intact(name: str, size: int | None, checksums: Checksums, root: Path) -> bool:
    if not size:
        return False
    known = checksums.get(name)
    if known:
        return any(one.size == size for one in known)
    return has_end_marker(root / name)

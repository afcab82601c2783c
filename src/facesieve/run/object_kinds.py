"""Which objects of a bucket belong to a dataset, and the order in which they must appear there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path

from facesieve.dataset.disk.atomic import wrap_read_errors
from facesieve.run.sync_record import stamp_of

ABOUT = "dataset.json"
PUBLISHED = ".facesieve/sums/published.txt"
MERGING = ".facesieve/merging"


class Kind(IntEnum):
    """The kinds of objects. A kind never appears in the bucket before what it refers to, which is in a lower kind.

    The mark of an unfinished merge is the exception: it appears first and disappears last.
    """

    PICTURES = 0
    RECORDS = 1
    SHARD = 2
    MANIFEST = 3
    PUBLISHED = 4
    ABOUT = 5
    MERGING = 6


_NAME = r"[^./\\:\x00-\x1f][^/\\:\x00-\x1f]*"  # as `safe_name` makes them
_PATTERNS = {
    Kind.PICTURES: rf"shards/[0-9a-f]{{32}}\.tar|marked/{_NAME}/{_NAME}\.(?:jpg|webm)|\.facesieve/crops/\d{{8,}}\.tar",
    Kind.RECORDS: r"\.facesieve/(?:(?:made|clips|lost)\.json|(?:lists|forgotten|applied)\.parquet)|decisions\.parquet",
    Kind.SHARD: r"\.facesieve/(?:(?:parts|thumbs)/\d{8,}\.parquet|sums/\d{8,}\.txt)",
    Kind.MANIFEST: r"(?:faces|pictures|embeddings)\.parquet(?:/part-\d{5,}\.parquet)?|contact_sheet\.html",
    Kind.PUBLISHED: re.escape(PUBLISHED),
    Kind.ABOUT: re.escape(ABOUT),
    Kind.MERGING: re.escape(MERGING),
}
_KINDS = re.compile("|".join(f"({pattern})" for pattern in _PATTERNS.values()))


def kind_of(name: str) -> Kind | None:
    """The kind of an object or file; None if it does not belong to a dataset."""
    found = _KINDS.fullmatch(name)
    return Kind(found.lastindex - 1) if found and found.lastindex else None


def stamps_below(root: Path) -> dict[str, str]:
    """The stamps of the files of a dataset in a folder, by name."""
    return {name: stamp for name, stamp in _files(root, "") if kind_of(name) is not None}


def _files(root: Path, below: str) -> Iterator[tuple[str, str]]:
    folder = root / below
    with wrap_read_errors(folder), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(root, f"{below}{entry.name}/")
            elif entry.is_file(follow_symlinks=False):
                yield f"{below}{entry.name}", stamp_of(entry.stat())

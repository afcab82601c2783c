"""What a user should know about a finished dataset, one line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from facesieve.records import RefusalCode

if TYPE_CHECKING:
    from facesieve.dataset.tables.counts import Counts
    from facesieve.dataset.tables.picture_row import PictureRow
    from facesieve.run.build_result import BuildResult


def notes(result: BuildResult) -> Iterator[str]:
    """Yields notes about labels that several faces share, changed labels, and pictures under several labels."""
    yield from label_notes(result.shared_labels, result.several_labels)
    if result.forgotten:
        were = "was" if result.forgotten == 1 else "were"
        yield f"note: {_pictures(result.forgotten)} {were} forgotten earlier and left out (--allow-again adds them)"
    for (old, new), pictures in sorted(result.relabelled.items()):
        before, now = (repr(label) if label else "none" for label in (old, new))
        their = "its" if pictures == 1 else "their"
        yield f"note: {_pictures(pictures)} changed {their} label from {before} to {now}"


def label_notes(shared_labels: int, several_labels: int) -> Iterator[str]:
    """Yields notes about the labels of a dataset. Both are counts of pictures, as in `BuildResult`."""
    if shared_labels:
        have = "has" if shared_labels == 1 else "have"
        yield (
            f"note: {_pictures(shared_labels)} {have} several kept faces under one label; where a label is one "
            "person, crop them to that person (pictures.parquet: label set and kept above 1)"
        )
    if several_labels:
        are = "is" if several_labels == 1 else "are"
        yield (
            f"note: {_pictures(several_labels)} {are} under several labels, because equal files lie at several "
            "paths; their faces count under each label (in pictures.parquet: a picture_id that occurs under two labels)"
        )


def refused_notes(pictures: Sequence[PictureRow], counts: Counts, output: str) -> Iterator[str]:
    """Yields a line for each of the first refused pictures, and how to list all of them."""
    refused = counts.refused - counts.refusals.get(RefusalCode.DUPLICATE, 0)
    for picture in pictures:
        yield f"refused: {picture.source}: {picture.refusal}: {picture.message}"
    if refused > len(pictures):
        yield f"refused: {refused - len(pictures):,} more; all: facesieve explain {output} --refused"


def _pictures(number: int) -> str:
    return f"{number} picture{'s' * (number != 1)}"


def inside(output: str, name: str) -> str:
    """A file of the dataset, as a path or a URL."""
    from facesieve.dataset.disk.layout import bucket_of

    return f"{output.rstrip('/')}/{name}" if bucket_of(output) else str(Path(output) / name)

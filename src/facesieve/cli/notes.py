"""What a user should know about a finished build, one line each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facesieve.run.build import BuildResult


def notes(result: BuildResult) -> Iterator[str]:
    """Yields notes about labels that several faces share, changed labels, and pictures under several labels."""
    if result.shared_labels:
        have = "has" if result.shared_labels == 1 else "have"
        yield (
            f"note: {_pictures(result.shared_labels)} {have} several kept faces under one label; where a label is one "
            "person, crop them to that person (pictures.parquet: label set and kept above 1)"
        )
    for (old, new), pictures in sorted(result.relabelled.items()):
        before, now = (repr(label) if label else "none" for label in (old, new))
        their = "its" if pictures == 1 else "their"
        yield f"note: {_pictures(pictures)} changed {their} label from {before} to {now}"
    if result.several_labels:
        are = "is" if result.several_labels == 1 else "are"
        yield (
            f"note: {_pictures(result.several_labels)} {are} under several labels, because equal files lie at several "
            "paths; their faces count under each label (in pictures.parquet: a picture_id that occurs under two labels)"
        )


def _pictures(number: int) -> str:
    return f"{number} picture{'s' * (number != 1)}"

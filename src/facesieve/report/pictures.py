"""Finds pictures of a dataset: those with a certain name, and those that were refused."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.manifests import Manifests
from facesieve.dataset.tables.picture_row import PictureRow, picture_rows, refused
from facesieve.errors import UsageError
from facesieve.report.figures.faces import shortened

SHOWN = 5  # names in the message about a name that several pictures have


def refused_pictures(dataset: Manifests) -> Iterator[PictureRow]:
    """Yield the refused pictures in the order of their names. Duplicates of other pictures are not among them."""
    for rows in dataset.picture_tables():
        yield from picture_rows(refused(rows))


def pictures_named(dataset: Manifests, name: str) -> list[PictureRow]:
    """The rows of the picture with this name: one for each label that it has.

    name: its source, the end of it from a separator on (a file name, for example), or a path of the file.
    Raises UsageError if no picture or more than one has it.
    """
    plain = os.path.normpath(name)
    whole = os.path.abspath(plain)  # noqa: PTH100 - resolves no links
    paths = [path for path in (name, plain, whole, os.path.relpath(plain)) if _is_text(path)]
    found = list(_matching(dataset, lambda sources: pc.is_in(sources, value_set=pa.array(paths, pa.string()))))
    if not found and _is_text(plain):
        found = list(_matching(dataset, lambda sources: _end_with(sources, plain)))
    shown, sources = shortened(name), sorted({row.source for row in found})
    if not sources:
        raise UsageError("no_such_picture", f"No picture and no face of {dataset.layout.root} is named {shown!r}.")
    if len(sources) > 1:
        some = ", ".join(map(shortened, sources[:SHOWN])) + (", ..." if len(sources) > SHOWN else "")
        raise UsageError(
            "ambiguous_picture", f"{len(sources)} pictures are named {shown!r}: {some}. Write more of the path."
        )
    return found


def _matching(dataset: Manifests, match: Callable[[pa.ChunkedArray], pa.ChunkedArray]) -> Iterator[PictureRow]:
    for rows in dataset.picture_tables():
        yield from picture_rows(rows.filter(match(rows["source"])))


def _end_with(sources: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    """Whether each source ends with the name, as a whole file name or the end of a path."""
    return pc.or_(pc.ends_with(sources, f"/{name}"), pc.ends_with(sources, f"!{name}"))


def _is_text(name: str) -> bool:
    """Whether it is valid Unicode. A path with other bytes is recorded with escapes, and Arrow rejects it."""
    return not any("\ud800" <= character <= "\udfff" for character in name)

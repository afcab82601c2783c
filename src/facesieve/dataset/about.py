"""Reads and writes what made a dataset: `dataset.json` for readers, and `made.json` for the next build."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from facesieve.dataset.disk.checksums import Checksum
from facesieve.dataset.disk.format import FORMAT, check_format
from facesieve.dataset.disk.json_file import read_json, write_json
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.own_file import damaged_file
from facesieve.dataset.origin import ClipOptions, Origin
from facesieve.dataset.tables.counts import Counts

_COUNTS = TypeAdapter(Counts)


@dataclass(frozen=True, slots=True)
class About:
    """The content of `dataset.json`: what made the dataset, and its counts."""

    origin: Origin
    counts: Counts


def about_json(origin: Origin, counts: Counts) -> dict[str, Any]:
    """The content of `dataset.json` as JSON values."""
    return {**made_json(origin), "counts": counts.as_json()}


def made_json(origin: Origin) -> dict[str, Any]:
    """The content of `made.json` as JSON values."""
    return {"format": FORMAT, **origin.as_json()}


def write_made(origin: Origin, layout: Layout) -> None:
    """Write `made.json`, and how clips are read if the dataset has any. Raises DatasetError if that fails."""
    if origin.clips:
        write_clips(origin.clips, layout)
    write_json(made_json(origin.without_clips()), layout.made, layout.scratch)


def write_clips(clips: ClipOptions, layout: Layout) -> None:
    """Write how clips are read, before the first rows of a clip. Does nothing if it is written already.

    A file of its own, because only the worker that reads a file learns that it is a clip.
    """
    if not layout.clips.exists():
        write_json(clips.as_json(), layout.clips, layout.scratch)


def read_about(layout: Layout, known: frozenset[Checksum] = frozenset()) -> About:
    """Read `dataset.json`.

    known: the checksums that the file may have. An empty set skips the check.
    Raises DatasetError if the file is missing or damaged, has another format, or lacks keys of its format.
    """
    values = _read(layout.about, layout, known)
    counts = values.pop("counts", None)
    origin = origin_of(values, layout.about)
    try:
        return About(origin, _COUNTS.validate_python(counts))
    except ValidationError as error:
        raise damaged_file(
            layout.about, f"'counts' {'is missing' if counts is None else 'has a wrong value'}"
        ) from error


def read_made(layout: Layout, known: frozenset[Checksum] = frozenset()) -> Origin:
    """Read `made.json`, and how clips are read. `known` and the errors are those of `read_about`."""
    origin = origin_of(_read(layout.made, layout, known), layout.made)
    if not layout.clips.exists():
        return origin
    try:
        return origin.with_clips(ClipOptions.model_validate(read_json(layout.clips)))
    except ValidationError as error:
        raise damaged_file(layout.clips) from error


def origin_of(values: Mapping[str, Any], path: Path) -> Origin:
    """What made a dataset, from the JSON values of a file. Raises DatasetError that names the first wrong key."""
    try:
        return Origin.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key, *rest = first["loc"]
        what = {"missing": "is missing", "extra_forbidden": "is unknown"}.get(first["type"] if not rest else "")
        raise damaged_file(path, f"{key!r} {what or 'has a wrong value'}") from error


def _read(path: Path, layout: Layout, known: frozenset[Checksum]) -> dict[str, Any]:
    values = read_json(path, known)
    check_format(values.pop("format", None), path, layout.root)
    return values

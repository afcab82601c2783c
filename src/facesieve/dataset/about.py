"""What made a dataset, written to `dataset.json` and the build's own `made.json`, and read back and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from facesieve.dataset.count import Counts
from facesieve.dataset.format import FORMAT, check_format
from facesieve.dataset.layout import Layout
from facesieve.dataset.origin import Origin
from facesieve.dataset.sums import Sum
from facesieve.dataset.tables import read_json, write_json
from facesieve.errors import DatasetError

_COUNTS = TypeAdapter(Counts)


@dataclass(frozen=True, slots=True)
class About:
    """What `dataset.json` says: what made the dataset, and how many of what it holds."""

    origin: Origin
    counts: Counts


def about_json(origin: Origin, counts: Counts) -> dict[str, Any]:
    """What `dataset.json` holds."""
    return {**made_json(origin), "counts": counts.plain()}


def made_json(origin: Origin) -> dict[str, Any]:
    """What `made.json` holds."""
    return {"format": FORMAT, **origin.plain()}


def write_made(origin: Origin, layout: Layout) -> None:
    """Publish `made.json`. Raises DatasetError where the disk refuses."""
    write_json(made_json(origin), layout.made, layout.scratch)


def read_about(layout: Layout, known: frozenset[Sum] = frozenset()) -> About:
    """What `dataset.json` says.

    known: the sums that the file may have; nothing is compared where there is none.
    Raises DatasetError when the file is absent, damaged, of another format, or has not the keys of its format.
    """
    values = _read(layout.about, layout, known)
    counts = values.pop("counts", None)
    origin = origin_of(values, layout.about)
    try:
        return About(origin, _COUNTS.validate_python(counts))
    except ValidationError as error:
        raise _damaged(layout.about, f"'counts' {'is missing' if counts is None else 'has a wrong value'}") from error


def read_made(layout: Layout, known: frozenset[Sum] = frozenset()) -> Origin:
    """What `made.json` says; `known` and errors are those of `read_about`."""
    return origin_of(_read(layout.made, layout, known), layout.made)


def origin_of(values: Mapping[str, Any], path: Path) -> Origin:
    """What made a dataset, from the values in a file. Raises DatasetError that names the first wrong key."""
    try:
        return Origin.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key, *rest = first["loc"]
        what = {"missing": "is missing", "extra_forbidden": "is not known"}.get(first["type"] if not rest else "")
        raise _damaged(path, f"{key!r} {what or 'has a wrong value'}") from error


def _read(path: Path, layout: Layout, known: frozenset[Sum]) -> dict[str, Any]:
    values = read_json(path, known)
    check_format(values.pop("format", None), path, layout.root)
    return values


def _damaged(path: Path, what: str) -> DatasetError:
    return DatasetError(
        "damaged_dataset", f"{path} is damaged: {what}; `facesieve check DATASET --repair` sets right what it can."
    )

"""Whether datasets that were built apart can be merged: each is finished, and all were made in the same way."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from facesieve.dataset.about import read_made
from facesieve.dataset.disk.atomic import wrap_read_errors
from facesieve.dataset.disk.checksums import read_checksums
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.own_file import damaged_file
from facesieve.dataset.origin import IdentityModel, Origin, difference, other_engines
from facesieve.errors import DatasetError
from facesieve.run.lost import read_lost


def open_part(layout: Layout) -> Origin:
    """How a dataset was made. Raises DatasetError if it is not finished, lacks rows, or is damaged."""
    root = layout.root
    with wrap_read_errors(root):
        if not root.is_dir():
            raise DatasetError("not_a_dataset", f"{root} is not a dataset: there is no such folder.")
        if not layout.hidden.is_dir() and not layout.about.exists():
            raise DatasetError("not_a_dataset", f"{root} is not a dataset.")
        if layout.about.exists() and not layout.made.exists():
            raise DatasetError(
                "not_continuable", f"{root} has no ledger of its inputs. Merge the dataset that it was judged from."
            )
        if not layout.made.exists():
            raise _unfinished(layout)
    sums = read_checksums(layout.published_sums)
    origin = read_made(layout, sums.get(layout.name_of(layout.made), frozenset()))
    published = {name for name in sums if name.startswith(f"{layout.name_of(layout.parts)}/")}
    there = {layout.name_of(layout.part(number)) for number in layout.numbers(layout.parts)}
    if gone := sorted(published - there):
        raise damaged_file(root / gone[0], "it is missing")
    if layout.merging.exists() or not sums or there != published or not layout.about.exists():
        raise _unfinished(layout)
    if lost := read_lost(layout).line():
        raise DatasetError("rows_lost", f"{root}: {lost}.")
    return origin


def _unfinished(layout: Layout) -> DatasetError:
    return DatasetError(
        "unfinished", f"{layout.root} is unfinished. Run the same build or merge again to finish it, then merge."
    )


def common_origin(origins: Mapping[Path, Origin], allow_mixed_engines: bool) -> Origin:
    """How the merged dataset is made. origins: of each dataset, by its folder.

    allow_mixed_engines: allow inference engines whose numbers differ.
    A dataset of an earlier version, which lacks later measures, is merged like one that a build continues.
    Raises DatasetError if two datasets were made in different ways.
    """
    (first, before), *others = origins.items()
    joined = before
    for path, origin in others:
        if before.identity != origin.identity:
            raise DatasetError("other_identity", _other_identity(first, before.identity, path, origin.identity))
        (one, older), (two, newer) = sorted(((first, before), (path, origin)), key=lambda part: len(part[1].measures))
        if differs := _differences(older, newer):
            raise DatasetError(
                "other_settings",
                f"{one} and {two} were built with different options: {'; '.join(differs)}. Build one of them again"
                " with the options of the other.",
            )
        engines = other_engines(before.engines, origin.engines) or other_engines(origin.engines, before.engines)
        if engines and not allow_mixed_engines:
            raise DatasetError(
                "other_engine",
                f"{first} and {path} were built with different inference engines, whose numbers differ in their last"
                f" digits: {'; '.join(engines)}. Build one of them again, or allow both with --allow-mixed-engines.",
            )
        joined = joined.joined(origin) if len(joined.measures) > len(origin.measures) else origin.joined(joined)
    return joined


def _other_identity(first: Path, one: IdentityModel | None, second: Path, other: IdentityModel | None) -> str:
    if one and other:
        which = f"other weights of {other.model}" if one.model == other.model else other.model
        return (
            f"{first} has embeddings of {one.model}, which cannot be compared with those in {second}, of {which}."
            f" Replace the embeddings of one of them; `facesieve identify {second} --identity none` removes them."
        )
    without, having, model = (first, second, other) if one is None else (second, first, one)
    assert model
    return (
        f"{without} has no embeddings, and {having} has those of {model.model}. Add them first: facesieve identify"
        f" {without} --identity {model.model} (or remove the others: facesieve identify {having} --identity none)"
    )


def _differences(before: Origin, after: Origin) -> list[str]:
    """What differs and can change a dataset, as `difference` has it, and the limits that decide what is refused."""
    lines = [line for line in difference(before, after) if not line.startswith("policy.sentence:")]
    names = sorted({*before.limits, *after.limits})
    limits = ((name, before.limits.get(name, "absent"), after.limits.get(name, "absent")) for name in names)
    return lines + [f"limits.{name}: {one} -> {two}" for name, one, two in limits if one != two]

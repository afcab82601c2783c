"""Publish a dataset: manifests, what made it, the contact sheet, and the sums of all these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from facesieve.dataset.commit import publish, settle, writing
from facesieve.dataset.count import Counts, count
from facesieve.dataset.layout import Layout
from facesieve.dataset.manifest import write_manifests
from facesieve.dataset.sums import sum_of_file, sums_of, write_sums
from facesieve.dataset.tables import write_json
from facesieve.report.sheet import contact_sheet


def publish_dataset(
    faces: pa.Table, pictures: pa.Table, layout: Layout, about: Mapping[str, Any], sheet_faces: int
) -> Counts:
    """Write the files that readers open; about: what made the dataset. Returns the books.

    While they are written there are no sums of them, so that a crash leaves nothing that looks damaged.
    Raises DatasetError where the disk refuses.
    """
    counts = count(faces, pictures)
    unpublish(layout)
    write_manifests(faces, pictures, layout)
    settle([layout.metadata, layout.faces], layout.root)
    write_json({**about, "counts": counts.plain()}, layout.about, layout.scratch)
    publish(contact_sheet(layout, sheet_faces), layout.sheet, layout.scratch)
    _sum_up(layout)
    return counts


def unpublish(layout: Layout) -> None:
    """Remove the sums of the published files, which are about to change."""
    with writing(layout.published_sums):
        layout.published_sums.unlink(missing_ok=True)
    if layout.sums.exists():
        settle([layout.published_sums], layout.root)


def published_files(layout: Layout) -> list[str]:
    """Names of the files whose sums are published: what readers open, what made the dataset, and its ledger."""
    readers = (layout.faces, layout.pictures, layout.metadata, layout.about, layout.sheet, layout.made)
    parts = (layout.part(number) for number in layout.numbers(layout.parts))
    return [layout.name_of(path) for path in (*readers, *parts)]


def _sum_up(layout: Layout) -> None:
    left = set(orphans(layout)) if layout.made.exists() else set()
    sums = {layout.name_of(layout.sums_of(number)) for number in layout.numbers(layout.sums)} - left
    there = [*(name for name in published_files(layout) if (layout.root / name).exists()), *sums]
    listed = sums_of((name, sum_of_file(layout.root / name)) for name in there)
    write_sums(listed, layout.published_sums, layout.scratch)
    settle([layout.published_sums], layout.root)


def prune(layout: Layout, named: set[str]) -> list[str]:
    """Remove picture files that no row names: of changed inputs, of duplicates, of shards that never finished.

    Returns their names. What such shards left among the build's own files goes too.
    """
    extra = sorted(name for name, _ in layout.written() if name not in named)
    with writing(layout.root):
        for name in extra:
            (layout.root / name).unlink(missing_ok=True)
        for name in orphans(layout):
            (layout.root / name).unlink(missing_ok=True)
    return extra


def orphans(layout: Layout) -> list[str]:
    """Names of small pictures and sums of shards that have no part: a build was killed before it wrote the part."""
    parts = set(layout.numbers(layout.parts))
    of_shards = ((layout.thumbs, layout.thumbs_of), (layout.sums, layout.sums_of))
    paths = (
        path_of(number) for folder, path_of in of_shards for number in layout.numbers(folder) if number not in parts
    )
    return [layout.name_of(path) for path in paths]

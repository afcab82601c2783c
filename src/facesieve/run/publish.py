"""Publishes a dataset: manifests, `dataset.json`, the contact sheet, and the checksums of all these."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from facesieve.dataset.about import about_json
from facesieve.dataset.commit import publish, settle, writing
from facesieve.dataset.count import Books
from facesieve.dataset.hashes import Hashes, HashSet, hashes_of
from facesieve.dataset.layout import Layout
from facesieve.dataset.manifest import Manifest, write_beside_crops
from facesieve.dataset.merge import Block, merge_surveyed
from facesieve.dataset.named import named_files
from facesieve.dataset.origin import Origin
from facesieve.dataset.schema import face_schema, picture_schema
from facesieve.dataset.sums import sum_of_file, sums_of, write_sums
from facesieve.dataset.survey import Survey
from facesieve.dataset.tables import write_json
from facesieve.report.sheet import contact_sheet
from facesieve.run.ledger import Ledger
from facesieve.settings import Settings

_BLOCK = 10_000  # names that are looked up together


def publish_dataset(blocks: Iterable[Block], layout: Layout, origin: Origin, settings: Settings) -> Books:
    """Write the files that readers open, and return the counts.

    blocks: faces and pictures in order. origin: how the dataset was made. All manifests are written before the first
    one replaces its predecessor. While they are replaced, they have no checksums, so that no crash looks like damage.
    Raises DatasetError when the disk refuses.
    """
    books = Books()
    faces = Manifest(layout.faces, face_schema(origin.measures), layout.scratch, settings.manifest_rows)
    pictures = Manifest(layout.pictures, picture_schema(), layout.scratch, settings.manifest_rows)
    for some_faces, some_pictures in blocks:
        books.add(some_faces, some_pictures)
        faces.add(some_faces)
        pictures.add(some_pictures)
    faces.end()
    pictures.end()
    beside = write_beside_crops(faces, layout.metadata, layout.scratch)
    unpublish(layout)
    for manifest in (beside, faces, pictures):
        manifest.publish()
    settle([layout.metadata, layout.faces], layout.root)
    write_json(about_json(origin, books.counts()), layout.about, layout.scratch)
    publish(contact_sheet(layout, settings.sheet_faces), layout.sheet, layout.scratch)
    _write_checksums(layout)
    return books


def publish_ledger(ledger: Ledger, found: Survey, origin: Origin, settings: Settings) -> tuple[Books, list[str]]:
    """Publish the rows of a ledger, and remove picture files that no row names any more.

    Returns the counts, and the names of the files that were removed.
    Raises DatasetError when a part is damaged, or when the disk refuses.
    """
    layout, outputs, named = ledger.layout, origin.options.outputs, list[Hashes]()

    def blocks() -> Iterator[Block]:
        for faces, pictures in merge_surveyed(ledger.tables, found, origin.measures, layout.scratch):
            named.append(hashes_of(list(named_files(faces, pictures, outputs))))
            yield faces, pictures

    books = publish_dataset(blocks(), layout, origin, settings)
    return books, remove_unnamed(layout, HashSet(named))


def unpublish(layout: Layout) -> None:
    """Remove the checksums of the published files, because these files are about to change."""
    with writing(layout.published_sums):
        layout.published_sums.unlink(missing_ok=True)
    if layout.sums.exists():
        settle([layout.published_sums], layout.root)


def published_files(layout: Layout) -> list[str]:
    """Names of the files that get a published checksum: what readers open, how the dataset was made, and its ledger."""
    manifests = [path for manifest in (layout.faces, layout.pictures) for path in layout.files_of(manifest)]
    readers = (*manifests, layout.metadata, layout.about, layout.sheet, layout.made)
    parts = (layout.part(number) for number in layout.numbers(layout.parts))
    return [layout.name_of(path) for path in (*readers, *parts)]


def _write_checksums(layout: Layout) -> None:
    left = set(leftovers(layout)) if layout.made.exists() else set()
    sums = {layout.name_of(layout.sums_of(number)) for number in layout.numbers(layout.sums)} - left
    there = [*(name for name in published_files(layout) if (layout.root / name).exists()), *sums]
    listed = sums_of((name, sum_of_file(layout.root / name)) for name in there)
    write_sums(listed, layout.published_sums, layout.scratch)
    settle([layout.published_sums], layout.root)


def remove_unnamed(layout: Layout, named: HashSet) -> list[str]:
    """Remove picture files that no row names: of changed inputs, of duplicates, of shards that never finished.

    Folders that become empty and other leftovers of unfinished shards are removed too.
    named: hashes of the names in rows. Returns the names of the removed picture files.
    """
    extra = sorted(files_without_row(layout, named))
    with writing(layout.root):
        for name in extra:
            (layout.root / name).unlink(missing_ok=True)
        for name in leftovers(layout):
            (layout.root / name).unlink(missing_ok=True)
        for folder in sorted({path for name in extra for path in Path(name).parents if path.name}, reverse=True):
            with suppress(OSError):  # it holds other files
                (layout.root / folder).rmdir()
    return extra


def files_without_row(layout: Layout, named: HashSet) -> Iterator[str]:
    """Picture files that no row names."""
    written = layout.written()
    while names := list(islice(written, _BLOCK)):
        known = named.has(hashes_of(names))
        yield from (name for name, one in zip(names, known, strict=True) if not one)


def leftovers(layout: Layout) -> list[str]:
    """Names of thumbnail and checksum files of shards without a part: a build was killed before it wrote the part."""
    parts = set(layout.numbers(layout.parts))
    of_shards = ((layout.thumbs, layout.thumbs_of), (layout.sums, layout.sums_of))
    paths = (
        path_of(number) for folder, path_of in of_shards for number in layout.numbers(folder) if number not in parts
    )
    return [layout.name_of(path) for path in paths]

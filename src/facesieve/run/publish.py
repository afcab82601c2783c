"""Publishes a dataset: the manifests, `dataset.json`, the contact sheet, and the checksums of all these."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from facesieve.dataset.about import about_json
from facesieve.dataset.decision_file import applied_bytes, read_decisions
from facesieve.dataset.disk.atomic import (
    remove_path,
    sync_folders,
    wrap_read_errors,
    wrap_write_errors,
    write_file_durably,
)
from facesieve.dataset.disk.checksums import checksum_of_file, checksums_by_name
from facesieve.dataset.disk.json_file import write_json
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.replace import remove_published_checksums, write_checksums_durably
from facesieve.dataset.origin import Origin
from facesieve.dataset.tables.counts import RunningCounts
from facesieve.dataset.tables.crop_manifest import write_crop_manifest
from facesieve.dataset.tables.decisions import Decisions
from facesieve.dataset.tables.hashes import Hashes, HashSet, hashes_of
from facesieve.dataset.tables.manifest_writer import ManifestWriter
from facesieve.dataset.tables.merge import Block, merge_resolved
from facesieve.dataset.tables.named_files import named_files
from facesieve.dataset.tables.resolve import Resolution
from facesieve.dataset.tables.schema import embedding_schema
from facesieve.report.sheet import contact_sheet
from facesieve.run.crop_moves import with_crops_moved
from facesieve.run.dataset_rules import compared_verdicts
from facesieve.run.ledger import Ledger
from facesieve.run.packing import Packing
from facesieve.run.progress import StepProgress, WatchSteps
from facesieve.settings import Settings

LOOKED_UP = 10_000  # file names that are looked up together


def publish_dataset(blocks: Iterable[Block], layout: Layout, origin: Origin, settings: Settings) -> RunningCounts:
    """Publish a dataset whose crops are in place. All commands that write a dataset end with this.

    All manifests are written before the first one is replaced. The checksums of the published files are removed first
    and written last, so that a crash in between does not look like damage. Each step is durable before the next begins.

    blocks: the rows of both manifests, in order; crops must be in place after the last one. origin: what made the
    dataset. Returns the counts.
    Raises DatasetError if a file cannot be written.
    """
    counts, manifests = _write_manifests(blocks, layout, origin, settings)
    remove_published_checksums(layout)
    for manifest in manifests:
        manifest.publish()
    for path in (layout.people, layout.report, layout.report_sums, *([] if origin.identity else [layout.embeddings])):
        with wrap_write_errors(path):
            remove_path(path)
    folders = [layout.faces] if origin.options.outputs.in_tars else [layout.metadata, layout.faces]
    sync_folders(folders, layout.root)
    write_json(about_json(origin, counts.counts()), layout.about, layout.scratch)
    write_file_durably(contact_sheet(layout, settings.sheet_faces), layout.sheet, layout.scratch)
    _write_published_checksums(layout, origin)
    return counts


class Published(NamedTuple):
    """What was published of a ledger.

    removed: the names of the picture files that no row names. notes: what could not be compared, for the user.
    """

    counts: RunningCounts
    removed: list[str]
    notes: tuple[str, ...] = ()


def publish_ledger(
    ledger: Ledger,
    found: Resolution,
    origin: Origin,
    settings: Settings,
    suspicious: Collection[str] = (),
    watch: WatchSteps | None = None,
) -> Published:
    """Publish what a ledger holds, then remove the picture files that no row names.

    Rules that compare all faces are applied here, because each publication may change their verdicts. So are the
    decisions that people made about single faces.

    suspicious: names of tar files that are written again though they exist. watch: called with the counts of each step.

    Raises DatasetError if a part is damaged or a file cannot be written.
    """
    layout, outputs, named = ledger.layout, origin.options.outputs, list[Hashes]()

    def noted(blocks: Iterable[Block]) -> Iterator[Block]:
        for block in blocks:
            named.append(hashes_of(list(named_files(block.faces, block.pictures, outputs))))
            yield block

    def merged(embeddings: bool = True) -> Iterator[Block]:
        model, clips = origin.embedded_with if embeddings else "", origin.clips is not None
        return merge_resolved(ledger.tables, found, origin.measures, layout.scratch, outputs.in_tars, model, clips)

    decisions = _decisions_to_apply(layout)
    verdicts = compared_verdicts(origin, layout, merged, decisions)
    with Packing(layout, outputs, suspicious, watch) as packing:
        blocks = merged()
        if verdicts:
            judged = verdicts.on(blocks)
            blocks = (
                (new for _, new in judged) if outputs.in_tars else with_crops_moved(judged, ledger, verdicts.decisions)
            )
        blocks = packing.packed(blocks) if outputs.in_tars else blocks
        blocks = _watched(blocks, ledger, watch) if watch else blocks
        counts = publish_dataset(noted(blocks), layout, origin, settings)
    return Published(counts, remove_unnamed_files(layout, HashSet(named)), verdicts.related.notes if verdicts else ())


def _decisions_to_apply(layout: Layout) -> Decisions | None:
    """The decisions by hand, which are recorded as applied; None if there never were any.

    They are recorded before crops move. Once some were applied, later publications apply them too, even if all are
    withdrawn, because the ledger may name crops by them.
    """
    decisions = read_decisions(layout)
    if not len(decisions) and not layout.applied.exists():
        return None
    data = applied_bytes(decisions)
    with wrap_read_errors(layout.applied):
        same = layout.applied.exists() and layout.applied.read_bytes() == data
    if not same:
        remove_published_checksums(layout)
        write_file_durably(data, layout.applied, layout.scratch)
    return decisions


def _watched(blocks: Iterable[Block], ledger: Ledger, watch: WatchSteps) -> Iterator[Block]:
    """The same blocks; calls `watch` before each one."""
    total, done = sum(map(ledger.length, ledger.numbers())), 0
    for block in blocks:
        watch(StepProgress("pictures written", total, done))
        done += len(block.pictures)
        yield block


def _write_manifests(
    blocks: Iterable[Block], layout: Layout, origin: Origin, settings: Settings
) -> tuple[RunningCounts, list[ManifestWriter]]:
    """Write the manifests to temporary files, in the order in which they are to be published.

    Crops in tar files are no folder of images, so they have no manifest of their own.
    """
    counts = RunningCounts()
    faces = ManifestWriter(layout.faces, origin.face_schema, layout.scratch, settings.manifest_rows)
    pictures = ManifestWriter(layout.pictures, origin.picture_schema, layout.scratch, settings.manifest_rows)
    writers = [faces, pictures]
    if origin.identity:
        writers.append(ManifestWriter(layout.embeddings, embedding_schema(), layout.scratch, settings.manifest_rows))
    for block in blocks:
        counts.add(block.faces, block.pictures)
        for writer, rows in zip(writers, block, strict=False):  # without embeddings, the last table is None
            writer.add(rows.select(writer.schema.names))
    for writer in writers:
        writer.finish()
    if origin.options.outputs.in_tars:
        return counts, writers
    return counts, [write_crop_manifest(faces, layout.metadata, layout.scratch), *writers]


def manifests_of(layout: Layout, origin: Origin) -> list[Path]:
    """The manifests that have one row per face or picture, each a file or a folder of files."""
    return [layout.faces, layout.pictures, *([layout.embeddings] if origin.identity else [])]


def published_files(layout: Layout, origin: Origin) -> list[str]:
    """The names of the files whose checksums are published: what readers open, `made.json`, and the ledger.

    These files must exist, except for those of `optional_files`, which are named only if they exist.
    """
    manifests = [path for manifest in manifests_of(layout, origin) for path in layout.files_of(manifest)]
    metadata = () if origin.options.outputs.in_tars else (layout.metadata,)
    clips = [layout.clips] if origin.clips and layout.made.exists() else []
    applied = [layout.applied] if layout.applied.exists() else []
    readers = (*manifests, *metadata, layout.about, layout.sheet, layout.made, *clips, *applied)
    parts = (layout.part(number) for number in layout.numbers(layout.parts))
    optional = (path for path in optional_files(layout) if path.exists())
    return [layout.name_of(path) for path in (*readers, *parts, *optional)]


def optional_files(layout: Layout) -> tuple[Path, ...]:
    """Files that a dataset can do without: what `facesieve people` found, and what lists of paths named."""
    return (layout.people, layout.lists)


def _write_published_checksums(layout: Layout, origin: Origin) -> None:
    left = set(orphaned_files(layout)) if layout.made.exists() else set()
    of_shards = {layout.name_of(layout.sums_of(number)) for number in layout.numbers(layout.sums)} - left
    names = [*(name for name in published_files(layout, origin) if (layout.root / name).exists()), *of_shards]
    checksums = checksums_by_name((name, checksum_of_file(layout.root / name)) for name in names)
    write_checksums_durably(checksums, layout.published_sums, layout)


def remove_unnamed_files(layout: Layout, named: HashSet) -> list[str]:
    """Remove the picture files that no row names: of changed inputs, of duplicates, of shards that never finished.

    Also removes folders that become empty, and orphaned files. named: hashes of the file names in the rows.
    Returns the names of the picture files that were removed.
    """
    extra = sorted(unnamed_files(layout, named))
    with wrap_write_errors(layout.root):
        for name in extra:
            (layout.root / name).unlink(missing_ok=True)
        for name in orphaned_files(layout):
            (layout.root / name).unlink(missing_ok=True)
        for number in layout.numbers(layout.unpacked):  # their crops are in other tar files now
            layout.unpacked_of(number).unlink(missing_ok=True)
        for folder in sorted({path for name in extra for path in Path(name).parents if path.name}, reverse=True):
            with suppress(OSError):  # the folder is not empty
                (layout.root / folder).rmdir()
    return extra


def unnamed_files(layout: Layout, named: HashSet) -> Iterator[str]:
    """Yield the picture files that no row names. named: hashes of the file names in the rows."""
    written = layout.picture_files()
    while names := list(islice(written, LOOKED_UP)):
        known = named.has(hashes_of(names))
        yield from (name for name, one in zip(names, known, strict=True) if not one)


def orphaned_files(layout: Layout) -> list[str]:
    """Files of shards without a ledger part, which a killed build leaves. Picture files are not among them."""
    parts = set(layout.numbers(layout.parts))
    folders = (layout.thumbs, layout.thumbs_of), (layout.sums, layout.sums_of), (layout.unpacked, layout.unpacked_of)
    paths = (path_of(number) for folder, path_of in folders for number in layout.numbers(folder) if number not in parts)
    return [layout.name_of(path) for path in paths]

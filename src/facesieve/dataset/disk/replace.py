"""Replaces files that have checksums, so that a crash at any moment leaves files that match their checksums."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from facesieve.dataset.disk.atomic import sync_folders, wrap_write_errors, write_file, write_file_durably
from facesieve.dataset.disk.checksums import (
    Checksums,
    checksum_of,
    checksum_of_file,
    checksum_pairs,
    checksums_by_name,
    read_checksums,
    write_checksums,
)
from facesieve.dataset.disk.layout import Layout, file_size


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to write. modified: its modification time in nanoseconds since 1970; None means now."""

    path: Path
    data: bytes
    modified: int | None = None


def replace_files(files: Sequence[NewFile], others: Checksums, checksums: Path, layout: Layout) -> None:
    """Write files in the given order, and the checksum file that lists them.

    others: the checksums of the further files that `checksums` has to list.
    The checksum file is written first. If files are replaced, it lists their old and their new content until all of
    them are written. Each file is durable before the next one is written. Raises DatasetError if a write fails.
    """
    new = [(layout.name_of(file.path), checksum_of(file.data)) for file in files]
    old = [
        (layout.name_of(file.path), checksum_of_file(file.path)) for file in files if file_size(file.path) is not None
    ]
    listed = [*checksum_pairs(others), *new]
    write_checksums(checksums_by_name([*listed, *old]), checksums, layout.scratch)
    unsynced = [checksums]
    if old or not files:
        sync_folders(unsynced, layout.root)
        unsynced = []
    for file in files:
        write_file(file.data, file.path, layout.scratch, file.modified)
        sync_folders([*unsynced, file.path], layout.root)
        unsynced = []
    if old:
        write_checksums_durably(checksums_by_name(listed), checksums, layout)


def write_checksums_durably(checksums: Checksums, path: Path, layout: Layout) -> None:
    """Write a checksum file and sync its folders. Raises DatasetError if it cannot be written."""
    write_checksums(checksums, path, layout.scratch)
    sync_folders([path], layout.root)


def remove_published_checksums(layout: Layout) -> None:
    """Remove the checksums of the published files, before these files change."""
    with wrap_write_errors(layout.published_sums):
        layout.published_sums.unlink(missing_ok=True)
    if layout.sums.exists():
        sync_folders([layout.published_sums], layout.root)


def replace_published_file(data: bytes, path: Path, layout: Layout) -> None:
    """Write one file of a published dataset, and its checksum if the published files have checksums.

    Raises DatasetError if a file cannot be written or the checksums are damaged.
    """
    if others := _other_published(path, layout):
        replace_files([NewFile(path, data)], others, layout.published_sums, layout)
    else:
        write_file_durably(data, path, layout.scratch)


def remove_published_file(path: Path, layout: Layout) -> None:
    """Remove one file of a published dataset with its checksum. Raises DatasetError if that fails."""
    if others := _other_published(path, layout):
        write_checksums_durably(others, layout.published_sums, layout)
    with wrap_write_errors(path):
        path.unlink(missing_ok=True)
    sync_folders([path], layout.root)


def _other_published(path: Path, layout: Layout) -> Checksums:
    name = layout.name_of(path)
    return {one: known for one, known in read_checksums(layout.published_sums).items() if one != name}

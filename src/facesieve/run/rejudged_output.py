"""Where a dataset under other rules is written: in a new folder, or in place of one that was written before."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from facesieve.dataset.disk.atomic import remove_path, replace_path, sync_folders, wrap_write_errors
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.manifests import Manifests, open_manifests
from facesieve.dataset.origin import Origin
from facesieve.dataset.tables.row_stream import RowStream
from facesieve.errors import DatasetError, UsageError
from facesieve.run.claim import check_writable, kept_from_changes, other_files
from facesieve.run.rejudge import Rejudged

# What such a dataset has at its top; a folder with anything else is not replaced.
_OWN = frozenset(
    {"faces.parquet", "pictures.parquet", "embeddings.parquet", "people.parquet", "decisions.parquet", "dataset.json"}
    | {"contact_sheet.html", ".facesieve", "kept", "rejected", "crops", "shards"}
)


def earlier_result(root: Path) -> Manifests | None:
    """The dataset that an earlier call wrote here; None if the folder is new or empty.

    Raises DatasetError `not_empty` if the folder has something else, or is a dataset that a build wrote.
    """
    others = other_files(root) if root.is_dir() else []
    if not others:
        return None
    layout = Layout(root)
    foreign = next((name for name in others if name not in _OWN), None) or next(layout.foreign_files(), None)
    if not layout.about.exists() or layout.made.exists() or foreign:
        what = f"it has {foreign!r}" if foreign else "it is not a dataset that `facesieve sieve` wrote"
        raise DatasetError("not_empty", f"{root} is not empty: {what}. Name a new folder.")
    return open_manifests(root)


def is_already_so(earlier: Manifests, new: Rejudged, origin: Origin) -> bool:
    """Whether an earlier result was made by the same rules from the same faces, so that writing it changes nothing."""
    if earlier.about.origin != origin:
        return False
    rows = RowStream(earlier.face_tables(), origin.face_schema)
    pictures = RowStream(earlier.picture_tables(), origin.picture_schema)
    for _, block in new.blocks():
        if not rows.take(len(block.faces)).equals(block.faces):
            return False
        if not pictures.take(len(block.pictures)).equals(block.pictures):
            return False
    return rows.ended() and pictures.ended()


@contextmanager
def output_of(dataset: Manifests, root: Path, earlier: Manifests | None, overwrite: bool) -> Iterator[Path]:
    """Yield the folder to write in. At the end it is at `root`, in place of the earlier result, which is removed.

    Raises UsageError if both are the same dataset, and DatasetError `other_rules` if `overwrite` is needed, or
    `has_decisions` if that would lose decisions by hand.
    """
    check_writable(root.parent / f".{root.name}.sieve" if earlier else root)
    if earlier is None:
        yield root
        return
    if root.resolve() == dataset.layout.root.resolve():
        raise UsageError("same_dataset", f"{root} is the dataset itself. Name a new folder with -o.")
    if not overwrite:
        raise DatasetError(
            "other_rules",
            f"{root} was made by other rules or from other faces. Replace it with --overwrite, or name a new folder.",
        )
    if lost := {*map(str, earlier.decisions.effects().to_pylist())} - {
        *map(str, dataset.decisions.effects().to_pylist())
    }:
        raise DatasetError(
            "has_decisions",
            f"{root} has {len(lost)} decisions by hand that {dataset.layout.root} does not have. Name a new folder.",
        )
    staging = root.absolute().parent / f".{root.absolute().name}.sieve"
    with wrap_write_errors(staging), kept_from_changes(earlier.layout):
        remove_path(staging)
        yield staging
        if earlier.layout.exports.is_dir():  # its exports still have the faces that they had
            shutil.copytree(earlier.layout.exports, Layout(staging).exports)
        replace_path(staging, root, staging.parent)
    sync_folders([root], root.absolute().parent)

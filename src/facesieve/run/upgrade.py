"""Upgrades datasets from before format 1, which had no format number, to the current format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from facesieve.dataset.about import made_json, origin_of
from facesieve.dataset.disk.atomic import write_file_durably
from facesieve.dataset.disk.checksums import Checksum, Checksums, read_checksums
from facesieve.dataset.disk.format import check_format, format_of
from facesieve.dataset.disk.json_file import json_bytes, read_json
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.parquet import read_table, table_bytes
from facesieve.dataset.disk.replace import NewFile, replace_files, write_checksums_durably
from facesieve.dataset.tables.schema import THUMB_SCHEMA, part_schema, picture_schema, with_later_columns
from facesieve.errors import DatasetError
from facesieve.run.claim import lock_dataset
from facesieve.run.ledger import EARLIEST, Ledger
from facesieve.run.undone import mark_undone
from facesieve.settings import LIMITS, NOT_SHAPING

ADDED = ("turn", "identity")  # columns that some datasets without a format number lack


def upgrade(root: Path) -> bool:
    """Rewrite a dataset that has no format number. Returns False if there is nothing to do.

    It can be interrupted at any moment and called again. Until it is finished, every reader asks for the upgrade.
    Damaged files stay as they are, with their old checksums, so that `check_dataset` still reports them.
    Raises DatasetError if the folder is not a dataset, has a newer format, does not say what made it, or if a file
    cannot be written.
    """
    layout = Layout(root)
    if not layout.made.exists() and not layout.about.exists():
        raise DatasetError("not_a_dataset", f"{root} is not a dataset. Name a folder that a build wrote.")
    with lock_dataset(layout):
        files = list(_new_files(layout))
        ledger = Ledger(layout)
        parts = [number for number in ledger.numbers() if _rewrite_part(ledger, number)]
        _replace_published(layout, files)
    return bool(files or parts)


def _rewrite_part(ledger: Ledger, number: int) -> bool:
    """Rewrite a part that has no format number and is not damaged. Returns whether it was rewritten."""
    path = ledger.layout.part(number)
    try:
        known = ledger.sums(number).get(ledger.layout.name_of(path), frozenset())
        rows = read_table(path, known=known)
    except DatasetError as error:
        if error.code == "damaged_dataset":
            return False
        raise
    if format_of(rows) is not None or not set(rows.column_names) >= EARLIEST:
        return False
    rows = with_later_columns(rows, part_schema(()), ADDED)
    try:
        ledger.rewrite(number, rows, ledger.thumbs(number))
    except DatasetError as error:
        if error.code not in ("damaged_dataset", "not_a_dataset"):
            raise
        ledger.rewrite(number, mark_undone(rows, range(len(rows))), THUMB_SCHEMA.empty_table())
    return True


def _new_files(layout: Layout) -> Iterator[NewFile]:
    """Yield the new files besides the parts, in the order in which they must be written.

    `dataset.json` is the last. As long as it has no format number, every reader asks for the upgrade.
    """
    sums = _published(layout)
    failed = list[DatasetError]()
    there = [path for path in (layout.pictures, layout.made, layout.about) if path.exists()]
    for path in there:
        known = sums.get(layout.name_of(path), frozenset())
        try:
            data = _pictures(path, known) if path == layout.pictures else _origin(path, layout, known)
        except DatasetError as error:
            if error.code != "damaged_dataset":
                raise
            if path != layout.pictures:
                failed.append(error)
            continue
        if data is not None:
            yield NewFile(path, data)
    if failed and len(failed) == len([path for path in there if path != layout.pictures]):
        raise failed[0]


def _pictures(path: Path, known: frozenset[Checksum]) -> bytes | None:
    held = read_table(path, known=known)
    full = with_later_columns(held, picture_schema(), ADDED)
    return table_bytes(full) if full.num_columns > held.num_columns else None


def _origin(path: Path, layout: Layout, known: frozenset[Checksum]) -> bytes | None:
    """The new content of `dataset.json` or `made.json`; None if it has a format number already."""
    values = read_json(path, known)
    if "format" in values:
        check_format(values["format"], path, layout.root)
        return None
    counts = {"counts": values["counts"]} if "counts" in values else {}
    return json_bytes(made_json(origin_of(_format_1_values(values, path), path)) | counts)


def _format_1_values(values: dict[str, Any], path: Path) -> dict[str, Any]:
    """The values under the keys of format 1.

    Earlier versions stored one version per package, and stored the limits among the settings.
    """
    try:
        settings, limits = values["settings"], values.get("limits", {})
        networks = sorted({name.partition("/")[0] for name in values["models"]})
        return {
            "versions": {name: [held] if isinstance(held, str) else held for name, held in values["versions"].items()},
            "engines": [{"network": name, "engine": "unknown", "instruction_set": "unknown"} for name in networks],
            "settings": {name: value for name, value in settings.items() if name not in NOT_SHAPING},
            "policy": values["policy"],
            "models": values["models"],
            "measures": values["measures"],
            "options": {"label_from": "none", **values["options"]},
            "limits": {name: value for name, value in settings.items() if name in LIMITS} | limits,
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            "damaged_dataset", f"{path} is damaged: it does not say what made the dataset. Build the dataset again."
        ) from error


def _published(layout: Layout) -> Checksums:
    """The checksums of the published files; empty if their checksum file is damaged, which a check reports."""
    try:
        return read_checksums(layout.published_sums)
    except DatasetError as error:
        if error.code != "damaged_dataset":
            raise
        return {}


def _replace_published(layout: Layout, files: Sequence[NewFile]) -> None:
    """Write the files. If the dataset has published checksums, update them for these files and for the parts."""
    listed = _published(layout)
    if listed:
        ledger = Ledger(layout)
        parts = {layout.name_of(layout.part(number)): number for number in ledger.numbers()}
        now = {name: ledger.sums(number).get(name, frozenset()) for name, number in parts.items()}
        new = {layout.name_of(file.path) for file in files}
        others = {name: now.get(name) or known for name, known in listed.items() if name not in new}
        replace_files(files, others, layout.published_sums, layout)
        return
    if files and not layout.published_sums.exists():  # the parts have checksums now, so a check expects this file
        write_checksums_durably({}, layout.published_sums, layout)
    for file in files:
        write_file_durably(file.data, file.path, layout.scratch)

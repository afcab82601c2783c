"""Rewrites datasets without a format number, from before format 1, in the current format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from facesieve.dataset.about import made_json, origin_of
from facesieve.dataset.commit import publish, settle
from facesieve.dataset.format import check_format, format_of
from facesieve.dataset.layout import Layout
from facesieve.dataset.schema import THUMB_SCHEMA, part_schema, picture_schema, with_later_columns
from facesieve.dataset.sums import Sum, Sums, pairs_of, read_sums, sum_of, sums_of, write_sums
from facesieve.dataset.tables import json_bytes, read_json, read_table, table_bytes
from facesieve.errors import DatasetError
from facesieve.run.claim import lock_dataset
from facesieve.run.damage import mark_undone
from facesieve.run.ledger import EARLIEST, Ledger
from facesieve.settings import LIMITS, NOT_SHAPING

ADDED = ("turn", "identity")  # columns that some datasets without a format number lack


def upgrade(root: Path) -> bool:
    """Rewrite a dataset that has no format number. Returns False when there is nothing to do.

    It may be interrupted at any moment and called again. Until everything is rewritten, all commands ask for the
    upgrade. Damaged files keep their bytes and checksums, so that `check_dataset` reports them afterwards.
    Raises DatasetError when the folder is not a dataset, has a newer format, or does not record how it was made, and
    when the disk refuses.
    """
    layout = Layout(root)
    if not layout.made.exists() and not layout.about.exists():
        raise DatasetError("not_a_dataset", f"{root} is not a dataset.")
    with lock_dataset(layout):
        files = dict(_new_contents(layout))
        ledger = Ledger(layout)
        parts = [number for number in ledger.numbers() if _rewrite_part(ledger, number)]
        _publish(layout, files)
    return bool(files or parts)


def _rewrite_part(ledger: Ledger, number: int) -> bool:
    """Rewrite a part if it has no format number and is not damaged. Returns whether it did."""
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


def _new_contents(layout: Layout) -> Iterator[tuple[Path, bytes]]:
    """New contents of the files that are not parts, in the order in which they are to be written.

    `dataset.json` is the last: as long as it has no format number, every reader asks for the upgrade.
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
            yield path, data
    if failed and len(failed) == len([path for path in there if path != layout.pictures]):
        raise failed[0]


def _pictures(path: Path, known: frozenset[Sum]) -> bytes | None:
    held = read_table(path, known=known)
    full = with_later_columns(held, picture_schema(), ADDED)
    return table_bytes(full) if full.num_columns > held.num_columns else None


def _origin(path: Path, layout: Layout, known: frozenset[Sum]) -> bytes | None:
    """The record of how the dataset was made, with a format number added. None if it has one already."""
    values = read_json(path, known)
    if "format" in values:
        check_format(values["format"], path, layout.root)
        return None
    counts = {"counts": values["counts"]} if "counts" in values else {}
    return json_bytes(made_json(origin_of(_as_format_1(values, path), path)) | counts)


def _as_format_1(values: dict[str, Any], path: Path) -> dict[str, Any]:
    """The record in format 1. Before, each package had one version, and limits were among the settings."""
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
            "damaged_dataset",
            f"{path} is damaged: it does not record how the dataset was made. Build the dataset again.",
        ) from error


def _published(layout: Layout) -> Sums:
    """The checksums of the published files. Empty if their own file is damaged, which a check reports."""
    try:
        return read_sums(layout.published_sums)
    except DatasetError as error:
        if error.code != "damaged_dataset":
            raise
        return {}


def _publish(layout: Layout, files: dict[Path, bytes]) -> None:
    """Write the files. Until all are written, old and new checksums are both valid: no crash looks like damage."""
    before, after = _published(layout), {layout.name_of(path): sum_of(data) for path, data in files.items()}
    if before:
        _write_sums(layout, sums_of([*pairs_of(before), *after.items()]))
    elif (
        files and not layout.published_sums.exists()
    ):  # the parts have checksums now, so a check would report these as missing
        _write_sums(layout, {})
    for path, data in files.items():
        publish(data, path, layout.scratch)
    if before:
        ledger, now = Ledger(layout), {name: frozenset([one]) for name, one in after.items()}
        for number in ledger.numbers():
            name = layout.name_of(layout.part(number))
            now[name] = ledger.sums(number).get(name, frozenset())
        _write_sums(layout, {name: now.get(name) or known for name, known in before.items()})


def _write_sums(layout: Layout, sums: Sums) -> None:
    write_sums(sums, layout.published_sums, layout.scratch)
    settle([layout.published_sums], layout.root)

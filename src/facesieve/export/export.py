"""Exports a finished dataset: chooses faces, writes them into a staging folder in batches, and publishes the whole.

manifests ─ facts ─ selection ─ plan ─ batches of rows ─┬ crops ─ encoded in threads ─┬ the writer of the format
                                                        └ rows ───────────────────────┘
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from facesieve.dataset.disk.checksums import checksum_of_file
from facesieve.dataset.disk.json_file import json_bytes
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.parquet import parquet_writer
from facesieve.dataset.manifests import Manifests, open_manifests
from facesieve.errors import UsageError
from facesieve.export.card import card
from facesieve.export.formats import format_named
from facesieve.export.images import ImageFormat
from facesieve.export.pictures import pictures
from facesieve.export.plan import Plan
from facesieve.export.realign import check_stills, find_folder
from facesieve.export.select import select
from facesieve.export.spec import ExportSpec, choose_by, parse_splits
from facesieve.export.staging import Staging, staged
from facesieve.processes.cores import cores
from facesieve.run.claim import kept_from_changes
from facesieve.run.receipts import leave_receipt
from facesieve.settings import Settings
from facesieve.version import __version__

ABOUT, CARD, LABELS, CHOICE = "export.json", "README.md", "labels.json", "selection.parquet"


@dataclass(frozen=True, slots=True)
class ExportProgress:
    """How far an export is: how many of `total` faces are `done`."""

    total: int
    done: int = 0


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export did.

    faces: how many are in it. splits: by split. classes: how many labels. left_out: how many faces are not in it, by
    reason. notes: sentences for the user.
    """

    faces: int
    splits: dict[str, int]
    classes: int
    left_out: dict[str, int]
    notes: tuple[str, ...] = ()


def _ignore(progress: ExportProgress) -> None:
    pass


def export_dataset(
    dataset: str | os.PathLike[str],
    to: str,
    output: str | os.PathLike[str],
    *,
    image: str = "",
    size: int | None = None,
    split: str = "",
    by: str | None = None,
    where: str = "",
    rejected: bool = False,
    min_per_label: int = 1,
    max_per_label: int | None = None,
    balance: str = "",
    pairs: int = 6000,
    seed: int = 0,
    licence: str = "",
    consent: str = "",
    pictures: str | os.PathLike[str] | None = None,
    settings: Settings | None = None,
    watch: Callable[[ExportProgress], None] = _ignore,
) -> Exported:
    """Write the faces of a finished dataset in a format that trainers read.

    dataset: its folder. to: the name of the format. output: a new or empty folder. pictures: where the source pictures
    are now, for `size`. The other options are those of `facesieve export`; "" and None take the default.
    watch: called with the progress after every batch.
    After an interruption, call it again to continue. Nothing is left at `output` until the export is whole.
    Raises UsageError for options that have no meaning, or if no face is left. Raises DatasetError if the dataset is
    being built or is damaged, or if the output is not empty or cannot be written.
    """
    kind = format_named(to)
    if balance not in ("", "pose"):
        raise UsageError("bad_balance", f"--balance {balance!r} is unknown; write pose.")
    if image and not kind.pictures:
        raise UsageError("bad_image", f"{kind.name} has no pictures of its own; leave out --image.")
    folder = find_folder(pictures, size)
    spec = ExportSpec(
        to=to,
        image=image or kind.image,
        size=size,
        splits=parse_splits(split),
        by=choose_by(by),
        where=where,
        rejected=rejected,
        min_per_label=min_per_label,
        max_per_label=max_per_label,
        balance="pose" if balance else "",
        pairs=pairs,
        seed=seed,
        licence=licence,
        consent=consent,
    )
    return run_export(Path(dataset), spec, Path(output), settings or Settings.load(), watch, folder)


def run_export(
    root: Path,
    spec: ExportSpec,
    output: Path,
    settings: Settings,
    watch: Callable[[ExportProgress], None] = _ignore,
    folder: Path | None = None,
) -> Exported:
    """Export the dataset in a folder. See `export_dataset`; folder is `pictures` there."""
    with kept_from_changes(Layout(root)):
        plan = make_plan(open_manifests(root), spec, settings, folder)
        with staged(output, _key(plan)) as out:
            plan = replace(plan, scratch=out.scratch)
            _write(plan, out, settings, watch)
            _describe(plan, out)
            out.publish()
        notes = list(plan.selection.notes())
        how = {"spec": plan.spec.as_json()}
        if not leave_receipt(how, replace(plan, scratch=None).taken_ids(), output, plan.dataset.layout):
            notes.append(f"{root} cannot be written, so it does not remember this export")
    return Exported(
        int(plan.selection.taken.sum()),
        plan.selection.counts,
        len(plan.selection.labels),
        plan.selection.left_out,
        tuple(notes),
    )


def make_plan(dataset: Manifests, spec: ExportSpec, settings: Settings, folder: Path | None = None) -> Plan:
    """Choose the faces and how they are written. folder: where the source pictures are now, if they have moved.

    Raises UsageError if the spec does not fit the format or dataset.
    """
    spec, kind = spec.checked(), format_named(spec.to)
    if kind.pictures and ImageFormat.parse(spec.image).name not in kind.images:
        raise UsageError("bad_image", f"{kind.name} has pictures as {' or '.join(kind.images)}; change --image.")
    if spec.size is not None and not kind.pictures:
        raise UsageError("bad_size", f"{kind.name} has no pictures of its own; leave out --size.")
    side = int(str(dataset.about.origin.settings["crop_size"]))
    selection, size = select(dataset, spec, kind), spec.size or side
    if kind.pictures and size != side:
        check_stills(dataset, selection.taken)
    return Plan(dataset, spec, kind, selection, size, settings.export_shard, folder)


def _write(plan: Plan, out: Staging, settings: Settings, watch: Callable[[ExportProgress], None]) -> None:
    """Write the batches that are not written yet, then what follows them."""
    writer, total, done = plan.kind.write(plan, out), int(plan.selection.taken.sum()), 0
    watch(ExportProgress(total))
    with ThreadPoolExecutor(cores()) as pool:
        for number, batch in enumerate(plan.batches()):
            if number >= out.done:
                writer.add(batch, pictures(batch.rows, plan, pool))
                out.commit()
            done += len(batch.rows)
            watch(ExportProgress(total, done))
    writer.finish()


def _describe(plan: Plan, out: Staging) -> None:
    """Write what every export has: its card, its classes, the choice of faces, and how it was made."""
    about = {"facesieve": __version__, "dataset": digest_of(plan.dataset), "spec": plan.spec.as_json()}
    counts = {
        "splits": plan.selection.counts,
        "classes": len(plan.selection.labels),
        "left_out": plan.selection.left_out,
    }
    out.append_to(ABOUT).write(json_bytes({**about, "batch": plan.batch, **counts}))
    out.append_to(LABELS).write(json_bytes({str(number): name for number, name in enumerate(plan.names)}))
    out.append_to(CARD).write(card(plan).encode())
    writer = None
    for rows in plan.selection.table(plan.dataset):
        writer = writer or parquet_writer(out.whole(CHOICE), rows.schema)
        writer.write_table(rows)
    assert writer
    writer.close()


def digest_of(dataset: Manifests) -> str:
    """A sha256 that changes whenever the rows of the dataset change."""
    layout = dataset.layout
    names = [layout.name_of(path) for manifest in (layout.faces, layout.pictures) for path in layout.files_of(manifest)]
    sums = (dataset.sums.get(name) or {checksum_of_file(layout.root / name)} for name in names)
    lines = (f"{known.sha256} {name}\n" for name, some in zip(names, sums, strict=True) for known in some)
    return hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()


def _key(plan: Plan) -> str:
    """Equal only for exports that would write the same bytes."""
    what = [__version__, digest_of(plan.dataset), plan.spec.as_json(), plan.batch]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()

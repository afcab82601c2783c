"""The public function `merge`: datasets that were built apart become one, as if one build had made it.

The merge marks the dataset as unfinished, takes over the files and ledgers of its parts, publishes, and removes the
mark. After a kill, the same merge continues: it writes only the files that are missing. In a bucket, the mark appears
before everything else, and disappears when everything is copied.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from facesieve.buckets import is_bucket_url
from facesieve.dataset.about import write_made
from facesieve.dataset.decision_file import applied_bytes, joined_decisions, read_decisions, write_decisions
from facesieve.dataset.disk.atomic import sync_folders, wrap_read_errors, wrap_write_errors, write_file_durably
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.replace import remove_published_checksums
from facesieve.dataset.origin import Origin
from facesieve.dataset.tables.counts import Counts
from facesieve.dataset.tables.decisions import NO_DECISIONS
from facesieve.dataset.tables.picture_row import PictureRow
from facesieve.dataset.tables.resolve import resolve
from facesieve.errors import DatasetError, UsageError
from facesieve.run.claim import check_writable, kept_from_changes, lock_dataset
from facesieve.run.drop_forgotten import drop_forgotten
from facesieve.run.forgotten import ForgottenHashes
from facesieve.run.joint_ledgers import JointLedgers
from facesieve.run.ledger import Ledger
from facesieve.run.lists import join_lists
from facesieve.run.mergeable import common_origin, open_part
from facesieve.run.output import Announce, PathText, opened_output
from facesieve.run.progress import StepProgress, WatchSteps
from facesieve.run.publish import publish_ledger
from facesieve.run.take_over import take_over
from facesieve.settings import Settings


@dataclass(frozen=True, slots=True)
class MergeResult:
    """The result of a merge.

    counts: of the whole dataset. shared_labels, several_labels: as in `BuildResult`.
    repeated: how many rows were left out because another part has the same source.
    notes: what could not be compared, as sentences for the user. refused: as in `BuildResult`.
    """

    counts: Counts
    shared_labels: int = 0
    several_labels: int = 0
    repeated: int = 0
    notes: tuple[str, ...] = ()
    refused: tuple[PictureRow, ...] = ()


def merge(
    parts: PathText | Iterable[PathText],
    dataset: PathText,
    *,
    allow_mixed_engines: bool = False,
    work_folder: PathText | None = None,
    settings: Settings | None = None,
    watch: WatchSteps = lambda progress: None,
    announce: Announce = lambda line: None,
) -> MergeResult:
    """Join datasets that were built apart, such as with `shard`, into one. The parts do not change.

    The files of the result are those that one build of all sources would publish, byte for byte. The picture files are
    hard links to those of the parts, or copies if links are not possible.
    parts: datasets that were built with the same settings, limits, policy, options and models; all have embeddings of
    one model, or none. If several have the same source, that of the last one counts.
    dataset: the folder to write; it is new or empty, or a merge into it was interrupted. It may also be a folder of a
    bucket, such as `s3://bucket/dataset`, if the parts have their crops in tar shards.
    allow_mixed_engines: merge datasets of inference engines whose numbers differ in their last digits.
    work_folder: where a dataset of a bucket is written before it is copied there; None is a folder in the cache.
    settings: how manifests and contact sheet are written; None takes the environment and the defaults.
    watch: called with the counts of each step. announce: called with a line about each copy between bucket and folder.
    Raises UsageError if a source has two labels or a part is named twice. Raises DatasetError if a part is not finished
    or damaged, if parts do not fit together, or if the dataset cannot be written.
    """
    paths = [Path(parts)] if isinstance(parts, str | os.PathLike) else [Path(part) for part in parts]
    settings = settings or Settings.load()
    _check_different(paths, Path(dataset))
    with ExitStack() as stack:
        ledgers = list[Ledger]()
        origins = dict[Path, Origin]()
        for path in paths:
            stack.enter_context(kept_from_changes(Layout(path)))
            origins[path] = open_part(Layout(path))
            ledgers.append(Ledger(Layout(path)))
        origin = common_origin(origins, allow_mixed_engines)
        _check_form(dataset, origin)
        output = stack.enter_context(opened_output(dataset, work_folder, settings, announce))
        layout = Layout(output.root)
        _check_output(layout)
        rows = sum(ledger.length(number) for ledger in ledgers for number in ledger.numbers())
        watch(StepProgress("pictures compared", rows))
        joined = JointLedgers(ledgers).without_repeated()
        stack.enter_context(lock_dataset(layout, merging=True))
        into, outputs = Ledger(layout), origin.options.outputs
        with resolve(joined.tables, layout.scratch) as found:
            watch(StepProgress("pictures compared", rows, rows))
            _begin(layout, origin)
            take = partial(StepProgress, "pictures taken over", rows)
            take_over(joined, found, into, outputs, lambda done: watch(take(done)))
            join_lists(ledgers, layout)
            _join_decisions(ledgers, layout)
        forgotten = ForgottenHashes(layout)
        forgotten.join(ForgottenHashes(ledger.layout) for ledger in ledgers)
        drop_forgotten(into, forgotten, outputs)
        with resolve(into.tables, layout.scratch) as found:
            published = publish_ledger(into, found, origin, settings, watch=watch)
        if is_bucket_url(os.fspath(dataset)):
            announce(f"copying {layout.root} to {os.fspath(dataset)}")
        output.publish()
        _end(layout)
        output.publish()
    counts, repeated = published.counts, len(joined.left_out)
    return MergeResult(
        counts.counts(),
        counts.shared_labels,
        counts.several_labels(),
        repeated,
        published.notes,
        tuple(counts.first_refused),
    )


def _join_decisions(ledgers: Sequence[Ledger], layout: Layout) -> None:
    """Take over what people decided about faces of the parts. The ledgers may name crops by what was applied before."""
    parts = [ledger.layout for ledger in ledgers]
    write_decisions(joined_decisions([read_decisions(part) for part in parts]), layout)
    if any(part.applied.exists() for part in parts) and not layout.applied.exists():
        write_file_durably(applied_bytes(NO_DECISIONS), layout.applied, layout.scratch)


def _check_different(parts: Sequence[Path], root: Path) -> None:
    """Check that no two of the folders are the same one."""
    if not parts:
        raise UsageError("no_parts", "Name the datasets to merge.")
    seen: dict[tuple[int, int], Path] = {}
    for path in parts:
        with suppress(OSError):  # `open_part` says what is wrong with it
            state = path.stat()
            first = seen.setdefault((state.st_dev, state.st_ino), path)
            if first is not path:
                raise UsageError("repeated_part", f"{path} is the same dataset as {first}. Name it once.")
    with suppress(OSError):
        state = root.stat()
        if (state.st_dev, state.st_ino) in seen:
            raise UsageError("output_is_a_part", f"{root} is one of the parts. Name a new folder for the dataset.")


def _check_form(dataset: PathText, origin: Origin) -> None:
    """Check that the crops of the parts have a form that a bucket can hold. Raises UsageError `files_in_bucket`."""
    if is_bucket_url(os.fspath(dataset)) and not origin.options.outputs.in_tars:
        raise UsageError(
            "files_in_bucket",
            "The crops of these parts are files, and in buckets crops are in tar shards. Build the parts with "
            "--crops-as shards, or merge them into a folder.",
        )


def _check_output(layout: Layout) -> None:
    """Check that the output is a new or empty folder, or that a merge into it was interrupted."""
    check_writable(layout.root)
    with wrap_read_errors(layout.root):
        begun = layout.merging.exists()
        used = layout.made.exists() or layout.about.exists() or bool(layout.numbers(layout.parts))
    if used and not begun:
        raise DatasetError("not_empty", f"{layout.root} is a dataset already. Name a new folder.")


def _begin(layout: Layout, origin: Origin) -> None:
    """Mark the dataset as unfinished, and write how it is made."""
    write_file_durably(b"", layout.merging, layout.scratch)
    remove_published_checksums(layout)
    write_made(origin, layout)


def _end(layout: Layout) -> None:
    with wrap_write_errors(layout.merging):
        layout.merging.unlink()
    sync_folders([layout.merging], layout.root)

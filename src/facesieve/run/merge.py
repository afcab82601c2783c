"""The public function `merge`: datasets that were built apart become one, as if one build had made it.

The merge writes picture files before the part of the ledger that names them, and publishes at the end. After a kill,
the same merge goes on: it writes only what is not there yet.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import tee
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.about import write_made
from facesieve.dataset.disk.atomic import sync_folders, wrap_read_errors, wrap_write_errors, write_file_durably
from facesieve.dataset.disk.checksums import Checksum, Checksums
from facesieve.dataset.disk.intact import broken_files
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.link import take_files
from facesieve.dataset.disk.names import shortened_list
from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.origin import Origin
from facesieve.dataset.tables.counts import Counts
from facesieve.dataset.tables.named_files import files_of_part, files_of_rows
from facesieve.dataset.tables.resolve import Resolution, resolve
from facesieve.errors import DatasetError, UsageError
from facesieve.run.claim import check_writable, kept_from_changes, lock_dataset
from facesieve.run.damage import thumbs_whole
from facesieve.run.joined import JoinedLedgers
from facesieve.run.ledger import Ledger
from facesieve.run.lists import join_lists
from facesieve.run.mergeable import common_origin, open_part
from facesieve.run.publish import publish_ledger, remove_published_checksums
from facesieve.settings import Settings

PathText = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class MergeResult:
    """The result of a merge.

    counts: of the whole dataset. shared_labels, several_labels: as in `BuildResult`.
    repeated: how many rows were left out because another part has the same source.
    """

    counts: Counts
    shared_labels: int = 0
    several_labels: int = 0
    repeated: int = 0


def merge(
    parts: PathText | Iterable[PathText],
    dataset: PathText,
    *,
    allow_mixed_engines: bool = False,
    settings: Settings | None = None,
) -> MergeResult:
    """Join datasets that were built apart, such as with `shard`, into one. The parts do not change.

    The files of the result are those that one build of all sources would publish, byte for byte. The picture files are
    hard links to those of the parts, or copies if they are on another disk.
    parts: datasets that were built with the same settings, limits, policy, options and models. If several have the same
    source, that of the last one counts.
    dataset: the folder to write; it is new or empty, or a merge into it was interrupted.
    allow_mixed_engines: merge datasets of inference engines whose numbers differ in their last digits.
    settings: how manifests and contact sheet are written; None takes the environment and the defaults.
    Raises UsageError if a source has two labels or a part is named twice, and DatasetError if a part is not finished or
    damaged, parts do not fit together, or the dataset cannot be written.
    """
    paths = [Path(parts)] if isinstance(parts, str | os.PathLike) else [Path(part) for part in parts]
    layout, settings = Layout(Path(dataset)), settings or Settings.load()
    _check_different(paths, layout.root)
    with ExitStack() as stack:
        ledgers = list[Ledger]()
        origins = dict[Path, Origin]()
        for path in paths:
            stack.enter_context(kept_from_changes(Layout(path)))
            origins[path] = open_part(Layout(path))
            ledgers.append(Ledger(Layout(path)))
        origin = common_origin(origins, allow_mixed_engines)
        _check_output(layout)
        joined = JoinedLedgers(ledgers).without_repeated()
        stack.enter_context(lock_dataset(layout, merging=True))
        with resolve(joined.tables, layout.scratch) as found:
            _begin(layout, origin)
            _take_parts(joined, found, Ledger(layout), origin.options.outputs)
            join_lists(ledgers, layout)
            counts, _ = publish_ledger(Ledger(layout), found, origin, settings)
        _end(layout)
    return MergeResult(counts.counts(), counts.shared_labels, counts.several_labels(), len(joined.left_out))


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


def _take_parts(joined: JoinedLedgers, found: Resolution, into: Ledger, outputs: Outputs) -> None:
    """Take over all parts of the ledgers with their files, and remove what an earlier merge left."""
    taken = set[int]()
    tables, again = tee(joined.tables())
    parts = zip(joined.parts, tables, found.resolved(again), strict=True)
    for new, ((ledger, number), rows, part) in enumerate(parts):
        if not len(rows):
            continue
        names, sums = files_of_part(part, outputs), ledger.sums(number)
        _check_whole(ledger, number, names, sums)
        take_files(names, ledger.layout, into.layout, sums)
        files = {name: sums[name] for _, name in files_of_rows(rows, outputs) if name in sums}
        if not _is_there(into, new, rows, files):
            thumbs = ledger.thumbs(number)
            ids = pc.struct_field(rows["faces"].combine_chunks().flatten(), "face_id")
            thumbs = thumbs.filter(pc.is_in(thumbs["face_id"], ids))
            into.commit(new, rows, thumbs, files, ledger.written(number))
        taken.add(new)
    for number in set(into.numbers()) - taken:
        into.remove(number)


def _check_whole(ledger: Ledger, number: int, names: Iterable[str], sums: Checksums) -> None:
    layout = ledger.layout
    lost = sorted(broken_files(names, sums, layout.root))
    if not thumbs_whole(ledger, number):
        lost.append(layout.name_of(layout.thumbs_of(number)))
    if lost:
        raise DatasetError(
            "missing_files",
            f"Missing or damaged in {layout.root}: {shortened_list(lost)}. Build this part again, or run "
            f"`facesieve check {layout.root} --repair`.",
        )


def _is_there(ledger: Ledger, number: int, rows: pa.Table, files: Mapping[str, frozenset[Checksum]]) -> bool:
    """Whether an interrupted merge has written this part already."""
    if not ledger.layout.part(number).exists():
        return False
    try:
        same = ledger.table(number).equals(rows) and files.items() <= ledger.sums(number).items()
        return same and thumbs_whole(ledger, number)
    except DatasetError:  # it is damaged
        return False

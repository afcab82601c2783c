"""Judges a finished dataset again from its measures (`run/verdicts.py`), and writes the result as a new dataset.

Memory stays the same at any size. If a rule compares all faces, it grows by some hundred bytes per face
(`run/relate_all.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.decision_file import write_decisions
from facesieve.dataset.disk.atomic import sync_folders, wrap_write_errors
from facesieve.dataset.disk.checksums import write_checksums
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.link import link_file
from facesieve.dataset.manifests import Manifests
from facesieve.dataset.origin import Origin, RecordedPolicy
from facesieve.dataset.tables.counts import Counts, RunningCounts
from facesieve.dataset.tables.join import join_checksums
from facesieve.dataset.tables.merge import Block
from facesieve.dataset.tables.named_files import cuts_of
from facesieve.dataset.tables.schema import face_schema
from facesieve.errors import DatasetError
from facesieve.run.claim import check_writable, other_files
from facesieve.run.comparing_rules import NAMES, in_column_order
from facesieve.run.ledger import Ledger
from facesieve.run.publish import publish_dataset
from facesieve.run.relate_all import RelationsOfAll
from facesieve.run.verdicts import Judge, Verdicts
from facesieve.settings import Settings
from facesieve.sieve import Policy


@dataclass(frozen=True, slots=True)
class Rejudged:
    """A dataset under other rules. Its rows are computed on request, some thousands at a time.

    verdicts: judge the rows.
    before, after: the counts under the old and the new rules. newly_kept, newly_rejected: faces whose verdict changed.
    without_crop: kept faces without a crop, because the build did not write the crops of rejected faces.
    already_so: whether the output had this result already, so that nothing was written. remembered: whether the dataset
    could be written, so that `forget` knows the output.
    """

    dataset: Manifests
    verdicts: Verdicts
    before: Counts
    after: Counts
    newly_kept: int
    newly_rejected: int
    without_crop: int
    already_so: bool = False
    remembered: bool = True

    def blocks(self, embeddings: bool = False) -> Iterator[tuple[Block, Block]]:
        """Yield each block of rows as it was, and under the new rules. embeddings: see `Manifests.blocks`."""
        return self.verdicts.on(self.dataset.blocks(embeddings))

    def changes(self) -> Iterator[pa.Table]:
        """Yield the rows of `faces` under the new rules whose verdict changed, block by block."""
        for old, new in self.blocks():
            yield new.faces.filter(pc.not_equal(old.faces["kept"], new.faces["kept"]))

    @property
    def measures(self) -> tuple[str, ...]:
        """The names of its measure columns: those of the dataset, then those that only the rules ask for."""
        return self.verdicts.wanted

    @property
    def faces(self) -> pa.Table:
        """All rows of `faces` under the new rules, in memory."""
        schema = face_schema(self.measures, self.verdicts.in_tars, self.verdicts.clips is not None)
        return pa.concat_tables([schema.empty_table(), *(new.faces for _, new in self.blocks())])

    @property
    def pictures(self) -> pa.Table:
        """All rows of `pictures` under the new rules, in memory."""
        schema = self.dataset.about.origin.picture_schema
        return pa.concat_tables([schema.empty_table(), *(new.pictures for _, new in self.blocks())])


def rejudge(
    dataset: Manifests, judge: Judge, asked: Sequence[str] = (), related: RelationsOfAll | None = None
) -> Rejudged:
    """Judge every face again.

    judge: see `Verdicts`. asked: the measures that its rules ask for; the result has columns of these even if the
    dataset has none. related: the relations among all faces that its rules ask for.
    """
    related, options = related or RelationsOfAll(), dataset.about.origin.options
    recorded = dataset.about.origin.measures
    valid = (name for name in recorded if name not in NAMES or name in asked)  # other rules made the old relations
    measures = in_column_order((*valid, *asked))
    clips, keeps_crops = dataset.about.origin.clips, options.keep_rejected
    in_tars = options.outputs.in_tars
    verdicts = Verdicts(judge, related, recorded, measures, in_tars, keeps_crops, clips, dataset.decisions)
    before, after = RunningCounts(), RunningCounts()
    newly_kept = newly_rejected = without_crop = 0
    for old, new in verdicts.on(dataset.blocks()):
        before.add(old.faces, old.pictures)
        after.add(new.faces, new.pictures)
        was, now = (np.asarray(block.faces["kept"], bool) for block in (old, new))
        newly_kept += int((now & ~was).sum())
        newly_rejected += int((was & ~now).sum())
        without_crop += int((now & ~np.asarray(pc.is_valid(new.faces["file_name"]))).sum())
    return Rejudged(dataset, verdicts, before.counts(), after.counts(), newly_kept, newly_rejected, without_crop)


def origin_of(new: Rejudged, policy: Policy, settings: Settings) -> Origin:
    """What is recorded of how a dataset under other rules was made. Marked pictures show the old verdicts."""
    before = new.dataset.about.origin
    return before.model_copy(
        update={
            "policy": RecordedPolicy(**policy.describe()),
            "options": before.options.model_copy(update={"marked": False, "marked_video": False}),
            "measures": new.measures,
            "settings": before.settings | {"min_label_faces": settings.min_label_faces},
        }
    )


def write_rejudged(dataset: Manifests, new: Rejudged, root: Path, policy: Policy, settings: Settings) -> None:
    """Write a new dataset with the new verdicts. Its crops are hard links to the old ones, or copies.

    Marked pictures are left out. The old dataset does not change.
    Crops are durable before their checksums are written, and both before the dataset is published.
    Raises DatasetError if `root` is not empty, a crop is missing, or a file cannot be written.
    """
    if root.is_dir() and other_files(root):
        raise DatasetError("not_empty", f"{root} is not empty. Name a new folder.")
    check_writable(root)
    layout = Layout(root)
    _write_crops(new, layout, dataset.about.origin.options.crops)
    write_decisions(dataset.decisions, layout)
    origin = origin_of(new, policy, settings)
    publish_dataset((block for _, block in new.blocks(embeddings=True)), layout, origin, settings)
    with wrap_write_errors(layout.scratch):
        layout.scratch.rmdir()


def _write_crops(new: Rejudged, layout: Layout, cuts: Sequence[str]) -> None:
    """Put the crops and thumbnails in place, then write their checksums."""
    old = new.dataset.layout
    sums = (Ledger(old).sums(number) for number in old.numbers(old.sums))
    files = new.after.faces * (1 + len(cuts))
    for number, (now, known) in enumerate(join_checksums(_linked(new, layout.root, cuts), sums, files, layout.scratch)):
        checksums = {now[name]: one for name, one in known.items() if name in now}  # some files may have none
        write_checksums(checksums, layout.sums_of(number), layout.scratch)
    sync_folders([layout.sums_of(0)], layout.root)


def _files(new: Rejudged, cuts: Sequence[str]) -> Iterator[dict[str, str]]:
    """Yield the old and the new names of the files that the new dataset takes over, some at a time."""
    in_tars, taken = new.verdicts.in_tars, set[str]()
    for old, block in new.blocks():
        faces = block.faces
        if in_tars:
            shards = set(pc.unique(faces["shard"]).drop_null().to_pylist()) - taken
            taken |= shards
            yield {name: name for name in sorted(shards)}
            continue
        pairs = zip(old.faces["file_name"].to_pylist(), faces["file_name"].to_pylist(), strict=True)
        same = cuts_of(faces, block.pictures, cuts)
        yield {was: now for was, now in pairs if was and now} | {name: name for name in same}
    layout = new.dataset.layout
    yield {name: name for name in map(layout.name_of, map(layout.thumbs_of, layout.numbers(layout.thumbs)))}


def _linked(new: Rejudged, root: Path, cuts: Sequence[str]) -> Iterator[dict[str, str]]:
    """Like `_files`. Each file is in place and durable before its name is yielded."""
    for pairs in _files(new, cuts):
        for was, now in pairs.items():
            link_file(new.dataset.layout.root / was, root / now, Layout(root).scratch)
        sync_folders((root / name for name in pairs.values()), root)
        yield pairs

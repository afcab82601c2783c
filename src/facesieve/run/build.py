"""A build from start to end: plan, work, merge, publish. A crash anywhere leaves whole files and is continued."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.about import read_about, read_made
from facesieve.dataset.count import Counts
from facesieve.dataset.files import Outputs
from facesieve.dataset.layout import Layout
from facesieve.dataset.merge import merge
from facesieve.dataset.named import named_files, some
from facesieve.dataset.origin import Engine, Options, Origin, RecordedPolicy, versions
from facesieve.errors import DatasetError
from facesieve.records import Source
from facesieve.run.claim import claim
from facesieve.run.forget import drop_sources, gone_sources
from facesieve.run.known import readable, unfinished
from facesieve.run.ledger import BY_A_LIMIT, TRY_AGAIN, Ledger
from facesieve.run.mend import mark_damage, missing_thumbs, not_whole_files
from facesieve.run.plan import Shard, shards, unique, workers
from facesieve.run.pool import Start, share
from facesieve.run.progress import Progress, Tally
from facesieve.run.publish import prune, publish_dataset
from facesieve.run.shard import Work
from facesieve.settings import Settings
from facesieve.sieve import Policy
from facesieve.sources import LeftOut


@dataclass(frozen=True, slots=True)
class BuildSpec:
    """How a dataset is made, besides from what.

    measures: names of the columns of raw numbers, in order. models: sha256 of each model file by model and part.
    engines: what runs each network. label_from: where labels come from.
    """

    settings: Settings
    measures: tuple[str, ...]
    outputs: Outputs
    policy: Policy
    models: dict[str, str]
    engines: tuple[Engine, ...]
    label_from: str = "none"

    def origin(self) -> Origin:
        """What makes the dataset, as it is recorded."""
        outputs = self.outputs
        return Origin(
            versions={name: (held,) for name, held in versions().items()},
            engines=self.engines,
            settings=self.settings.shaping(),
            policy=RecordedPolicy(**self.policy.describe()),
            models=self.models,
            measures=self.measures,
            options=Options(
                keep_rejected=outputs.keep_rejected,
                crops=tuple(sorted(outputs.cuts)),
                marked=outputs.marked,
                label_from=self.label_from,
            ),
            limits=self.settings.limits(),
        )


@dataclass(frozen=True, slots=True)
class BuildResult:
    """What a build came to.

    counts: of the whole dataset. readable: how many of this build's inputs gave pixels.
    shared_labels: pictures of the dataset with a label and more than one kept face, which all have that label.
    damaged: names of files that were missing or not whole when the build began; their pictures were done again.
    gone: sources in the dataset that the named places no longer have. pruned: whether their rows were removed.
    left_out: what lay among the sources and was not taken. notes: sentences about the sources, for a person.
    """

    counts: Counts
    progress: Progress
    readable: int
    shared_labels: int = 0
    damaged: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    pruned: bool = False
    left_out: LeftOut = field(default_factory=LeftOut)
    notes: tuple[str, ...] = ()


def build(
    sources: Iterable[Source],
    root: Path,
    start: Start,
    spec: BuildSpec,
    watch: Callable[[Progress], None] = lambda progress: None,
    named: Sequence[str] = (),
    prune_gone: bool = False,
    mixed_engines: bool = False,
) -> BuildResult:
    """Add the sources that are new to the dataset in `root`, and publish it.

    start: makes the pipeline, once in every process that works; picklable where there is more than one.
    watch: called with the running counts after every picture.
    named: the files, folders, archives and globs that the sources were found in.
    prune_gone: remove the rows and files of sources that these places no longer have.
    mixed_engines: continue a dataset of engines whose numbers differ from this one's.
    Raises UsageError on one source with two labels, DatasetError when the dataset cannot be written or continued,
    or lacks files at the end, WorkerError when worker processes cannot be started, and what `start` raises.
    """
    wanted = unique(sources)
    layout = Layout(root)
    with claim(layout, spec.origin(), mixed_engines):
        damaged = mark_damage(layout, spec.measures, spec.outputs)
        before = Ledger(layout).numbers()
        progress = _work(wanted, layout, start, spec, watch)
        parts = _all_parts(layout, before, progress.total)
        ledger = Ledger(layout)
        gone = gone_sources(parts, {source.key for source in wanted}, named)
        if gone and prune_gone:
            drop_sources(ledger, gone, spec.outputs)
            parts = ledger.tables()
        faces, pictures = merge(parts, spec.measures)
        counts = _publish(faces, pictures, layout, spec)
    return BuildResult(
        counts,
        progress,
        readable(wanted, Ledger(layout)),
        _shared_labels(pictures),
        tuple(damaged),
        tuple(sorted(gone.values())),
        prune_gone,
    )


def _work(
    wanted: list[Source], layout: Layout, start: Start, spec: BuildSpec, watch: Callable[[Progress], None]
) -> Progress:
    ledger, settings = Ledger(layout), spec.settings
    again = TRY_AGAIN if _same_limits(layout, settings) else TRY_AGAIN | BY_A_LIMIT
    todo = unfinished(wanted, ledger, settings.max_file_bytes, again)
    progress = Progress(total=len(todo), already=len(wanted) - len(todo))
    watch(progress)
    hands = workers(settings, len(todo))
    plan = shards(todo, hands, settings.shard_size, ledger.next_number())
    work = Work(layout, settings, spec.measures, spec.outputs)
    for tally in alone(plan, work, start) if hands == 1 else share(plan, work, start, hands):
        progress = progress.after(tally)
        watch(progress)
    return progress


def _same_limits(layout: Layout, settings: Settings) -> bool:
    """Whether the dataset was published with these limits; a build that was interrupted has not published."""
    try:
        recorded = read_about(layout).origin.limits if layout.about.exists() else {}
    except DatasetError:  # damaged: the build writes it again, and cannot know
        return False
    return all(recorded.get(name, value) == value for name, value in settings.limits().items())


def _all_parts(layout: Layout, before: Sequence[int], added: int) -> list[pa.Table]:
    """The rows of all parts: those there were `before`, and new ones with `added` rows.

    Raises DatasetError when some are gone, so that a dataset without them is never published.
    """
    ledger = Ledger(layout)
    parts = {number: ledger.table(number) for number in ledger.numbers()}
    new = sum(len(rows) for number, rows in parts.items() if number not in before)
    if new != added or not set(before) <= set(parts):
        raise DatasetError(
            "ledger_changed", f"Parts of the ledger in {layout.parts} went away while the build ran; run it again."
        )
    return list(parts.values())


def _publish(faces: pa.Table, pictures: pa.Table, layout: Layout, spec: BuildSpec) -> Counts:
    named = named_files(faces, pictures, spec.outputs)
    counts = publish_dataset(faces, pictures, layout, read_made(layout), spec.settings.sheet_faces)
    prune(layout, named)
    lost = [*not_whole_files(layout, named), *missing_thumbs(layout)]
    if lost:
        raise DatasetError(
            "missing_files",
            f"Missing or not whole in {layout.root}: {some(lost)}. Run the same build again with the pictures "
            "that they were made from, or run `facesieve check DATASET --repair`.",
        )
    return counts


def alone(plan: Sequence[Shard], work: Work, start: Start) -> Iterator[Tally]:
    """Every shard in this process; where there is nothing to do no pipeline is made."""
    pipeline = start() if plan else None
    for shard in plan:
        assert pipeline
        yield from work.do(shard, pipeline)


def _shared_labels(pictures: pa.Table) -> int:
    labelled = pc.not_equal(pictures["label"], "")
    return int(np.count_nonzero(np.asarray(pc.and_(labelled, pc.greater(pictures["kept"], 1)))))

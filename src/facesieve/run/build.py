"""A build from start to end: plan, work, merge, publish. A crash anywhere leaves whole files and is continued."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from facesieve.dataset.about import read_about, read_made
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.names import shortened_list
from facesieve.dataset.disk.outputs import Outputs
from facesieve.dataset.origin import Engine, Options, Origin, RecordedPolicy, versions
from facesieve.dataset.tables.counts import Counts, RunningCounts
from facesieve.dataset.tables.resolve import resolve
from facesieve.errors import DatasetError
from facesieve.records import Source
from facesieve.run.absent import Absent, drop_sources, find_absent
from facesieve.run.claim import claim
from facesieve.run.known import new_labels, readable, unfinished
from facesieve.run.ledger import BY_A_LIMIT, TRY_AGAIN, Ledger
from facesieve.run.lost import note_found
from facesieve.run.mend import lost_files, mark_damage, missing_thumbs
from facesieve.run.places import lies_under
from facesieve.run.plan import Shard, shards, unique, workers
from facesieve.run.pool import Start, share
from facesieve.run.progress import Progress, Tally
from facesieve.run.publish import publish_ledger
from facesieve.run.shard import Work
from facesieve.settings import Settings
from facesieve.sieve import Policy
from facesieve.sources import LeftOut
from facesieve.stop import Stopped


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
    several_labels: pictures of the dataset whose bytes lie at several paths under several labels.
    relabelled: how many pictures of this build had another label before: by the old label and the new one.
    damaged: names of files that were missing or not whole when the build began; their pictures were done again.
    gone: sources in the dataset that the named places no longer have. pruned: whether their rows were removed.
    moved: sources elsewhere whose files are not on disk any more, while this build found the same bytes.
    left_out: what lay among the sources and was not taken. notes: sentences about the sources, for a person.
    """

    counts: Counts
    progress: Progress
    readable: int
    shared_labels: int = 0
    several_labels: int = 0
    relabelled: Mapping[tuple[str, str], int] = field(default_factory=dict)
    damaged: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    pruned: bool = False
    moved: tuple[str, ...] = ()
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
    prune_gone: remove the rows and files of sources that these places no longer have, or that moved into them.
    mixed_engines: continue a dataset of engines whose numbers differ from this one's.
    Raises UsageError on one source with two labels, DatasetError when the dataset cannot be written or continued,
    or lacks files at the end, WorkerError when worker processes cannot be started, what `start` raises, and Stopped
    with a remark on how much is committed.
    """
    wanted = unique(sources)
    layout = Layout(root)
    with claim(layout, spec.origin(), mixed_engines):
        ledger, absent, emptied = Ledger(layout), Absent(), set[str]()
        if prune_gone:  # also before the work, so that what was a duplicate of it is done where its files are missing
            absent = find_absent(ledger, wanted, named)
            emptied = drop_sources(ledger, absent.dropped(prune_gone), spec.outputs)
        damaged = [name for name in mark_damage(layout, spec.outputs) if name not in emptied]
        before = ledger.numbers()
        relabelled = new_labels(wanted, ledger)
        progress = _work(wanted, layout, start, spec, watch)
        _check_parts(ledger, before, progress.total)
        absent |= (last := find_absent(ledger, wanted, named))
        drop_sources(ledger, last.dropped(prune_gone), spec.outputs)
        books = _publish(ledger, spec)
        note_found(layout, partial(lies_under, named=named) if prune_gone else lambda name: False)
    return BuildResult(
        books.counts(),
        progress,
        readable(wanted, ledger),
        books.shared_labels,
        books.several_labels(),
        relabelled,
        tuple(damaged),
        tuple(sorted(absent.gone.values())),
        prune_gone,
        tuple(sorted(absent.moved.values())),
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
    try:
        for tally in alone(plan, work, start) if hands == 1 else share(plan, work, start, hands):
            progress = progress.after(tally)
            watch(progress)
    except Stopped as stopped:
        numbers = [number for number in ledger.numbers() if plan and number >= plan[0].number]
        committed = progress.already + sum(map(ledger.length, numbers))
        remark = f"{committed} of {len(wanted)} pictures are committed (the rest of a shard is done again)"
        raise Stopped(stopped.number, remark) from None
    return progress


def _same_limits(layout: Layout, settings: Settings) -> bool:
    """Whether the dataset was published with these limits; a build that was interrupted has not published."""
    try:
        recorded = read_about(layout).origin.limits if layout.about.exists() else {}
    except DatasetError:  # damaged: the build writes it again, and cannot know
        return False
    return all(recorded.get(name, value) == value for name, value in settings.limits().items())


def _check_parts(ledger: Ledger, before: Sequence[int], added: int) -> None:
    """Raise DatasetError when parts are gone: those there were `before`, or new ones with `added` rows in all.

    A dataset without them is never published.
    """
    numbers = ledger.numbers()
    new = sum(ledger.length(number) for number in numbers if number not in before)
    if new != added or not set(before) <= set(numbers):
        raise DatasetError(
            "ledger_changed",
            f"Parts of the ledger in {ledger.layout.parts} went away while the build ran; run it again.",
        )


def _publish(ledger: Ledger, spec: BuildSpec) -> RunningCounts:
    layout = ledger.layout
    with resolve(ledger.tables, layout.scratch) as found:
        books, _ = publish_ledger(ledger, found, read_made(layout), spec.settings)
        lost = [*sorted(lost_files(ledger, found, spec.outputs)), *missing_thumbs(layout)]
    if lost:
        raise DatasetError(
            "missing_files",
            f"Missing or damaged in {layout.root}: {shortened_list(lost)}. Run the same build again with the pictures "
            "that they were made from, or run `facesieve check DATASET --repair`.",
        )
    return books


def alone(plan: Sequence[Shard], work: Work, start: Start) -> Iterator[Tally]:
    """Every shard in this process; where there is nothing to do no pipeline is made."""
    pipeline = start() if plan else None
    for shard in plan:
        assert pipeline
        yield from work.do(shard, pipeline)

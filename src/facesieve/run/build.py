"""A build from start to end: plan, work, merge, publish. A crash anywhere leaves whole files and is continued."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facesieve.dataset.about import read_about
from facesieve.dataset.count import Books, Counts
from facesieve.dataset.files import Outputs
from facesieve.dataset.layout import Layout
from facesieve.dataset.named import some
from facesieve.dataset.origin import versions
from facesieve.dataset.survey import survey
from facesieve.errors import DatasetError
from facesieve.records import Source
from facesieve.run.claim import claim
from facesieve.run.forget import drop_sources, gone_sources
from facesieve.run.known import readable, unfinished
from facesieve.run.ledger import BY_A_LIMIT, TRY_AGAIN, Ledger
from facesieve.run.mend import lost_files, mark_damage, missing_thumbs
from facesieve.run.plan import Shard, shards, unique, workers
from facesieve.run.pool import Start, share
from facesieve.run.progress import Progress, Tally
from facesieve.run.publish import publish_ledger
from facesieve.run.shard import Work
from facesieve.settings import Settings


@dataclass(frozen=True, slots=True)
class Making:
    """How a dataset is made, besides from what.

    policy, models, options: plain values that JSON holds: the rules, the sha256 of each model by name, and
    options of the caller that shape the dataset. measures: names of the columns of raw numbers, in order.
    """

    settings: Settings
    measures: tuple[str, ...]
    outputs: Outputs
    policy: dict[str, Any]
    models: dict[str, str]
    options: dict[str, Any]

    def origin(self) -> dict[str, Any]:
        """What made the dataset, as plain values."""
        written = {
            "keep_rejected": self.outputs.keep_rejected,
            "crops": sorted(self.outputs.cuts),
            "marked": self.outputs.marked,
        }
        return {
            "versions": versions(),
            "settings": self.settings.shaping(),
            "policy": self.policy,
            "models": self.models,
            "measures": list(self.measures),
            "options": written | self.options,
            "limits": self.settings.limits(),
        }


@dataclass(frozen=True, slots=True)
class Built:
    """What a build came to.

    counts: of the whole dataset. readable: how many of this build's inputs gave pixels.
    shared_labels: pictures of the dataset with a label and more than one kept face, which all have that label.
    damaged: names of files that were missing or not whole when the build began; their pictures were done again.
    gone: sources in the dataset that the named places no longer have. pruned: whether their rows were removed.
    """

    counts: Counts
    progress: Progress
    readable: int
    shared_labels: int = 0
    damaged: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    pruned: bool = False


def build(
    sources: Iterable[Source],
    root: Path,
    start: Start,
    making: Making,
    watch: Callable[[Progress], None] = lambda progress: None,
    named: Sequence[str] = (),
    prune_gone: bool = False,
) -> Built:
    """Add the sources that are new to the dataset in `root`, and publish it.

    start: makes the pipeline, once in every process that works; picklable where there is more than one.
    watch: called with the running counts after every picture.
    named: the files, folders, archives and globs that the sources were found in.
    prune_gone: remove the rows and files of sources that these places no longer have.
    Raises UsageError on one source with two labels, DatasetError when the dataset cannot be written or continued,
    or lacks files at the end, WorkerError when worker processes cannot be started, and what `start` raises.
    """
    wanted = unique(sources)
    layout = Layout(root)
    with claim(layout, making.origin()):
        ledger = Ledger(layout)
        damaged = mark_damage(layout, making.outputs)
        before = ledger.numbers()
        progress = _work(wanted, layout, start, making, watch)
        _check_parts(ledger, before, progress.total)
        gone = gone_sources(ledger, wanted, named)
        if gone and prune_gone:
            drop_sources(ledger, gone, making.outputs)
        books = _publish(ledger, making)
    return Built(
        books.counts(),
        progress,
        readable(wanted, ledger),
        books.shared_labels,
        tuple(damaged),
        tuple(sorted(gone.values())),
        prune_gone,
    )


def _work(
    wanted: list[Source], layout: Layout, start: Start, making: Making, watch: Callable[[Progress], None]
) -> Progress:
    ledger, settings = Ledger(layout), making.settings
    again = TRY_AGAIN if _same_limits(layout, settings) else TRY_AGAIN | BY_A_LIMIT
    todo = unfinished(wanted, ledger, settings.max_file_bytes, again)
    progress = Progress(total=len(todo), already=len(wanted) - len(todo))
    watch(progress)
    hands = workers(settings, len(todo))
    plan = shards(todo, hands, settings.shard_size, ledger.next_number())
    work = Work(layout, settings, making.measures, making.outputs)
    for tally in alone(plan, work, start) if hands == 1 else share(plan, work, start, hands):
        progress = progress.after(tally)
        watch(progress)
    return progress


def _same_limits(layout: Layout, settings: Settings) -> bool:
    """Whether the dataset was published with these limits; a build that was interrupted has not published."""
    try:
        published = read_about(layout.about) if layout.about.exists() else {}
    except DatasetError:  # damaged: the build writes it again, and cannot know
        return False
    recorded = published.get("settings", {}) | published.get("limits", {})  # earlier versions kept both in one place
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


def _publish(ledger: Ledger, making: Making) -> Books:
    layout = ledger.layout
    with survey(ledger.tables, layout.scratch) as found:
        books, _ = publish_ledger(ledger, found, read_about(layout.made), making.settings)
        lost = [*sorted(lost_files(ledger, found, making.outputs)), *missing_thumbs(layout)]
    if lost:
        raise DatasetError(
            "missing_files",
            f"Missing or not whole in {layout.root}: {some(lost)}. Run the same build again with the pictures "
            "that they were made from, or run `facesieve check DATASET --repair`.",
        )
    return books


def alone(plan: Sequence[Shard], work: Work, start: Start) -> Iterator[Tally]:
    """Every shard in this process; where there is nothing to do no pipeline is made."""
    pipeline = start() if plan else None
    for shard in plan:
        assert pipeline
        yield from work.do(shard, pipeline)

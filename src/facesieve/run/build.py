"""A build from start to end: claim, plan, run the shards, publish.

A crash at any moment leaves only whole files, and the next build continues from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from types import MappingProxyType

from facesieve.dataset.about import read_made
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.names import shortened_list
from facesieve.dataset.disk.own_file import check_command
from facesieve.dataset.origin import ClipOptions
from facesieve.dataset.tables.resolve import resolve
from facesieve.errors import DatasetError
from facesieve.records import Source
from facesieve.run.absent import Absent, drop_sources, find_absent
from facesieve.run.build_result import BuildResult
from facesieve.run.build_spec import BuildSpec
from facesieve.run.claim import claim
from facesieve.run.dataset_rules import rules_for_pictures
from facesieve.run.drop_forgotten import drop_forgotten, lift_found
from facesieve.run.engines.choose import engine_for
from facesieve.run.engines.engine import BuildEngine, MakePipeline
from facesieve.run.forgotten import ForgottenHashes, not_forgotten
from facesieve.run.known import changed_labels, readable, unfinished
from facesieve.run.ledger import Ledger
from facesieve.run.lists import hash_of, record_lists, remove_pictures
from facesieve.run.lost import remove_found
from facesieve.run.mark_damage import broken_picture_files, mark_damage, missing_thumbs, unwritten_crops
from facesieve.run.named_inputs import is_in_named
from facesieve.run.plan import shards, unique
from facesieve.run.portion import EVERYTHING, Portion
from facesieve.run.progress import Progress
from facesieve.run.publish import Published, publish_ledger
from facesieve.run.shard import ShardRunner
from facesieve.stop import Stopped


def build_dataset(
    sources: Iterable[Source],
    root: Path,
    make_pipeline: MakePipeline,
    spec: BuildSpec,
    watch: Callable[[Progress], None] = lambda progress: None,
    named: Sequence[str] = (),
    prune: bool = False,
    allow_mixed_engines: bool = False,
    listed: Mapping[bytes, Set[bytes]] = MappingProxyType({}),
    engine: BuildEngine | None = None,
    portion: Portion = EVERYTHING,
    beside: Callable[[], AbstractContextManager[None]] = nullcontext,
    allow_again: bool = False,
) -> BuildResult:
    """Add the sources that are new to the dataset in `root`, and publish it.

    make_pipeline: called once in every process that works; picklable if there are several.
    watch: called with the running counts, before the first picture and after every picture.
    named: the files, folders, archives and globs in which the sources were found.
    prune: remove the rows and files of sources that are no longer in these inputs, or that moved into them.
    allow_mixed_engines: continue a dataset even if its inference engine computes other numbers than this one.
    listed: what the lists among these inputs name, as in `Found`.
    engine: the build engine; None chooses one by the settings and the number of pictures.
    portion: which of the sources to add. The others are not gone, so `sources` has to name them too.
    beside: a context that is open while shards are done; `BucketDataset.following` copies them meanwhile.
    allow_again: add pictures again that were forgotten, and no longer remember that.
    Raises UsageError when one source has two labels; DatasetError when the dataset cannot be written or continued, or
    lacks files at the end; WorkerError when worker processes cannot be started; what `make_pipeline` raises; and
    Stopped, with a remark on how much is committed.
    """
    everything = unique(sources)
    wanted = portion.of(everything)
    layout = Layout(root)
    with claim(layout, spec.origin(), allow_mixed_engines, ClipOptions(**spec.settings.of_clips())):
        ledger, absent, emptied = Ledger(layout), Absent(), set[str]()
        forgotten, found = ForgottenHashes(layout), len(wanted)
        wanted = wanted if allow_again else not_forgotten(wanted, forgotten)
        unlisted = record_lists(ledger, everything, listed, wanted)
        if prune:  # first, because a duplicate of a removed source then needs files of its own
            absent = find_absent(ledger, everything, named, unlisted)
            emptied = drop_sources(ledger, absent.dropped(prune), spec.outputs)
        damaged = [name for name in mark_damage(layout, spec.outputs) if name not in emptied]
        relabelled = changed_labels(wanted, ledger)
        progress = _do_unfinished(wanted, ledger, make_pipeline, spec, watch, engine, beside)
        if allow_again:
            lift_found(ledger, forgotten)
        dropped = drop_forgotten(ledger, forgotten, spec.outputs)
        last = find_absent(ledger, everything, named, unlisted)
        absent |= last
        drop_sources(ledger, last.dropped(prune), spec.outputs)
        pruned = absent.dropped(prune) if prune else absent.relabelled
        if pruned:
            remove_pictures(layout, {hash_of(key) for key in pruned})
        published = _publish(ledger, spec, damaged)
        remove_found(layout, partial(is_in_named, named=named) if prune else lambda name: False)
    counts = published.counts
    return BuildResult(
        counts=counts.counts(),
        progress=progress,
        readable=readable(wanted, ledger),
        shared_labels=counts.shared_labels,
        several_labels=counts.several_labels(),
        relabelled=relabelled,
        damaged=tuple(damaged),
        gone=tuple(sorted(absent.gone.values())),
        pruned=prune,
        moved=tuple(sorted(absent.moved.values())),
        moved_labels=tuple(sorted(absent.relabelled.values())),
        forgotten=found - len(wanted) + dropped,
        notes=published.notes,
        refused=tuple(counts.first_refused),
    )


def _do_unfinished(
    wanted: Sequence[Source],
    ledger: Ledger,
    make_pipeline: MakePipeline,
    spec: BuildSpec,
    watch: Callable[[Progress], None],
    engine: BuildEngine | None,
    beside: Callable[[], AbstractContextManager[None]],
) -> Progress:
    """Find what is left to do, cut it into shards, and let the build engine run them."""
    settings, before = spec.settings, ledger.numbers()
    todo = unfinished(wanted, ledger, max(settings.max_file_bytes, settings.max_clip_bytes))
    progress = Progress(total=len(todo), already=len(wanted) - len(todo))
    watch(progress)
    engine = engine or engine_for(settings, sum(source.cost for source in todo))
    plan = shards(todo, engine.workers, settings.shard_size, ledger.next_number())
    model = spec.identity.sha256 if spec.identity else ""
    alone = rules_for_pictures(spec.policy, spec.identity is not None)
    runner = ShardRunner(ledger.layout, settings, spec.measures, spec.outputs, model=model, policy=alone)
    try:
        with beside():
            for tally in engine.run(plan, runner, make_pipeline):
                progress = progress.after(tally)
                watch(progress)
    except Stopped as stopped:
        new = [number for number in ledger.numbers() if plan and number >= plan[0].number]
        committed = progress.already + sum(map(ledger.length, new))
        remark = f"{committed} of {len(wanted)} pictures are committed (unfinished shards are done again)"
        raise Stopped(stopped.number, remark) from None
    _check_parts(ledger, before, progress.total)
    return progress


def _check_parts(ledger: Ledger, before: Sequence[int], added: int) -> None:
    """Check that no part of the ledger has disappeared, so that no incomplete dataset is published.

    before: numbers of the parts at the start. added: how many rows the new parts must have.
    Raises DatasetError if an old part or rows of new parts are gone.
    """
    numbers = ledger.numbers()
    new = sum(ledger.length(number) for number in numbers if number not in before)
    if new != added or not set(before) <= set(numbers):
        raise DatasetError(
            "ledger_changed",
            f"Parts of the ledger in {ledger.layout.parts} disappeared during the build. Run the same build again.",
        )


def _publish(ledger: Ledger, spec: BuildSpec, damaged: Sequence[str]) -> Published:
    layout = ledger.layout
    with resolve(ledger.tables, layout.scratch) as found:
        published = publish_ledger(ledger, found, read_made(layout), spec.settings)
        unwritten = unwritten_crops(ledger, found, set(damaged)) if spec.outputs.in_tars else ()
        broken = {*broken_picture_files(ledger, found, spec.outputs), *unwritten}
        lost = [*sorted(broken), *missing_thumbs(layout)]
    if lost:
        raise DatasetError(
            "missing_files",
            f"Missing or damaged in {layout.root}: {shortened_list(lost)}. Run the same build again with the pictures "
            f"that these files were made from, or run `{check_command(layout.root)} --repair`.",
        )
    return published

"""A build from start to end: plan, work, merge, publish. A crash anywhere leaves whole files and is continued."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from facesieve.dataset.commit import publish, settle, writing
from facesieve.dataset.count import Counts, count
from facesieve.dataset.files import Outputs
from facesieve.dataset.layout import Layout, cut_name, marked_name
from facesieve.dataset.manifest import write_manifests
from facesieve.dataset.merge import merge
from facesieve.dataset.origin import versions
from facesieve.dataset.tables import read_json, write_json
from facesieve.records import Source
from facesieve.report.sheet import contact_sheet
from facesieve.run.claim import claim
from facesieve.run.known import readable, unfinished
from facesieve.run.ledger import BY_A_LIMIT, TRY_AGAIN, Ledger
from facesieve.run.plan import Shard, shards, unique, workers
from facesieve.run.pool import Start, share
from facesieve.run.progress import Progress, Tally
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
    """

    counts: Counts
    progress: Progress
    readable: int
    shared_labels: int = 0


def build(
    sources: Iterable[Source],
    root: Path,
    start: Start,
    making: Making,
    watch: Callable[[Progress], None] = lambda progress: None,
) -> Built:
    """Add the sources that are new to the dataset in `root`, and publish it.

    start: makes the pipeline, once in every process that works; picklable where there is more than one.
    watch: called with the running counts after every picture.
    Raises UsageError on one source with two labels, DatasetError when the dataset cannot be written or continued,
    WorkerError when worker processes cannot be started, and what `start` raises.
    """
    wanted = unique(sources)
    layout = Layout(root)
    with claim(layout, making.origin()):
        progress = _work(wanted, layout, start, making, watch)
        faces, pictures = merge(Ledger(layout).tables(), making.measures)
        counts = _publish(faces, pictures, layout, making)
    return Built(counts, progress, readable(wanted, Ledger(layout)), _shared_labels(pictures))


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
    published = read_json(layout.about) if layout.about.exists() else {}
    recorded = published.get("settings", {}) | published.get("limits", {})  # earlier versions kept both in one place
    return all(recorded.get(name, value) == value for name, value in settings.limits().items())


def alone(plan: Sequence[Shard], work: Work, start: Start) -> Iterator[Tally]:
    """Every shard in this process; where there is nothing to do no pipeline is made."""
    pipeline = start() if plan else None
    for shard in plan:
        assert pipeline
        yield from work.do(shard, pipeline)


def _publish(faces: pa.Table, pictures: pa.Table, layout: Layout, making: Making) -> Counts:
    counts = count(faces, pictures)
    write_manifests(faces, pictures, layout)
    settle([layout.metadata, layout.faces], layout.root)
    _prune(layout, _named(faces, pictures, making.outputs))
    write_json({**read_json(layout.made), "counts": counts.plain()}, layout.about, layout.scratch)
    publish(contact_sheet(layout, making.settings.sheet_faces), layout.sheet, layout.scratch)
    return counts


def _named(faces: pa.Table, pictures: pa.Table, outputs: Outputs) -> set[str]:
    """The picture files that belong to the manifests."""
    written = faces.filter(pc.is_valid(faces["file_name"]))
    labels, ids = written["label"].to_pylist(), written["face_id"].to_pylist()
    names = set(written["file_name"].to_pylist())
    names |= {cut_name(what, *face) for what in outputs.cuts for face in zip(labels, ids, strict=True)}
    if outputs.marked:
        read = pictures.filter(pc.is_null(pictures["refusal"])).select(["label", "source", "picture_id"])
        names |= {marked_name(*row) for row in zip(*(column.to_pylist() for column in read.columns), strict=True)}
    return names


def _prune(layout: Layout, named: set[str]) -> None:
    """Remove picture files that no row names: of changed inputs, of duplicates, of shards that never finished."""
    with writing(layout.root):
        for name in set(layout.written()) - named:
            (layout.root / name).unlink()


def _shared_labels(pictures: pa.Table) -> int:
    labelled = pc.not_equal(pictures["label"], "")
    return int(np.count_nonzero(np.asarray(pc.and_(labelled, pc.greater(pictures["kept"], 1)))))

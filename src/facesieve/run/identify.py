"""Adds embeddings to a finished dataset, from its crops alone, and removes them again."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from facesieve.dataset.about import read_about, read_made, write_made
from facesieve.dataset.disk.format import with_embedded
from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.disk.replace import remove_published_checksums
from facesieve.dataset.origin import Origin
from facesieve.dataset.tables.named_files import NAMING_COLUMNS
from facesieve.dataset.tables.resolve import resolve, with_part_schema
from facesieve.errors import DatasetError
from facesieve.run.claim import is_locked, lock_dataset
from facesieve.run.drop_forgotten import drop_forgotten
from facesieve.run.embed_parts import Embed, crops_in, embed_parts, parts_without
from facesieve.run.forgotten import ForgottenHashes
from facesieve.run.identity_origin import prepared
from facesieve.run.inference import resolved
from facesieve.run.ledger import Ledger
from facesieve.run.publish import publish_ledger
from facesieve.settings import Settings
from facesieve.stop import Stopped

if TYPE_CHECKING:
    from facesieve.models.store import Announce


@dataclass(frozen=True, slots=True)
class Identified:
    """What `identify` did.

    model: the name of the model, or `none`. faces: how many rows the dataset has. embedded: how many of them have an
    embedding. new: how many crops were read by this call. missing: how many faces have none, by reason.
    """

    model: str
    faces: int
    embedded: int
    new: int
    missing: dict[str, int]


@dataclass(frozen=True, slots=True)
class IdentifyProgress:
    """How many crops of `total` are `done`. Crops that an earlier call finished are not part of `total`."""

    total: int
    done: int = 0


def identify(
    dataset: str | os.PathLike[str],
    *,
    settings: Settings | None = None,
    watch: Callable[[IdentifyProgress], None] = lambda progress: None,
    announce: Announce | None = None,
) -> Identified:
    """Add embeddings to a dataset that was built without, from its crops alone.

    Faces without a crop get none: those that were rejected, if the build did not keep their crops. The result is the
    dataset that a build with the same setting would have written. After an interruption, call it again to go on.

    dataset: the folder. settings: `identity` names the model; `none` removes all embeddings. None takes the environment
    and the defaults.
    watch: called with the progress, before the first crop and after every batch. announce: called with one line if the
    model is fetched; None prints it to stderr.
    Raises DatasetError when the folder is not a finished dataset, has no ledger, is in use, has embeddings of another
    model, has crops of another alignment, or has a damaged crop; ModelError when the model is missing.
    """
    settings = resolved(settings or Settings.load())
    layout = Layout(Path(dataset))
    _check_finished(layout)
    with lock_dataset(layout):
        before = read_made(layout)
        origin, embed = prepared(before, settings, layout, announce)
        ledger = Ledger(layout)
        dropped = drop_forgotten(ledger, ForgottenHashes(layout), before.options.outputs)
        new = _rewrite_parts(ledger, before, origin, embed, watch)
        if origin != before:
            remove_published_checksums(layout)
            write_made(origin, layout)
        if new or dropped or origin != before or not _is_published(layout, origin):
            with resolve(ledger.tables, layout.scratch) as found:
                publish_ledger(ledger, found, origin, settings)
    return _summary(layout, origin, new)


def _check_finished(layout: Layout) -> None:
    root = layout.root
    if layout.made.exists() and not layout.about.exists():
        if is_locked(layout):
            raise DatasetError("in_use", f"A build is writing to {root}. Wait until it has ended.")
        raise DatasetError("unfinished", f"{root} is unfinished. Run the same build again to finish it.")
    read_about(layout)
    if not layout.made.exists():
        raise DatasetError(
            "not_continuable",
            f"{root} has no ledger. Identify the dataset that it was judged from, and judge that one again.",
        )


def _rewrite_parts(
    ledger: Ledger,
    before: Origin,
    origin: Origin,
    embed: Embed | None,
    watch: Callable[[IdentifyProgress], None],
) -> int:
    """Write the embeddings into every part that lacks them, or remove them. Returns how many crops were read.

    Each part is replaced in one step, and its metadata names the model. So a part is either done or as it was.
    """
    todo = parts_without(ledger, origin.embedded_with)
    if embed is None:
        for number in sorted(todo):
            table, with_clips = ledger.table(number), before.clips is not None
            plain = with_part_schema(table, before.measures, before.options.outputs.in_tars, clips=with_clips)
            ledger.rewrite(number, with_embedded(plain, ""))
        watch(IdentifyProgress(0))
        return 0
    progress = IdentifyProgress(sum(crops_in(ledger.table(number, NAMING_COLUMNS)) for number in todo))
    watch(progress)
    try:
        for count in embed_parts(ledger, todo, origin, embed):
            progress = IdentifyProgress(progress.total, progress.done + count)
            watch(progress)
    except Stopped as stopped:
        raise Stopped(stopped.number, f"{progress.done} of {progress.total} crops were read") from None
    return progress.done


def _is_published(layout: Layout, origin: Origin) -> bool:
    """Whether the published dataset has the embeddings of the ledger, or none if the ledger has none."""
    if read_about(layout).origin.identity != origin.identity:
        return False
    return layout.embeddings.exists() == (origin.identity is not None) and layout.published_sums.exists()


def _summary(layout: Layout, origin: Origin, new: int) -> Identified:
    from facesieve.dataset.manifests import open_manifests

    if origin.identity is None:
        return Identified("none", read_about(layout).counts.faces, 0, 0, {})
    faces = embedded = 0
    missing: dict[str, int] = {}
    for rows in open_manifests(layout.root).embedding_tables(["no_embedding"]):
        reasons = rows["no_embedding"].combine_chunks()
        faces += len(reasons)
        embedded += int(reasons.null_count)
        for count in reasons.drop_null().value_counts().to_pylist():
            missing[count["values"]] = missing.get(count["values"], 0) + count["counts"]
    return Identified(origin.identity.model, faces, embedded, new, dict(sorted(missing.items())))

"""The public function `build`: sources in, dataset out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from facesieve.run.engines.choose import engine_for, prepare_engine
from facesieve.settings import Settings

if TYPE_CHECKING:  # heavy packages are imported while the fork server starts
    from facesieve.models.store import Announce, Store
    from facesieve.run.build import BuildResult
    from facesieve.run.progress import Progress
    from facesieve.sieve import Policy

PathText = str | os.PathLike[str]


def build(
    sources: PathText | Iterable[PathText],
    dataset: PathText,
    *,
    settings: Settings | None = None,
    policy: Policy | None = None,
    label_from: str = "none",
    crops: Iterable[str] = (),
    keep_rejected: bool = False,
    marked: bool = False,
    prune: bool = False,
    allow_mixed_engines: bool = False,
    follow_links: bool = False,
    include_hidden: bool = False,
    archive_encoding: str | None = None,
    path_column: str | None = None,
    label_column: str | None = None,
    list_encoding: str | None = None,
    watch: Callable[[Progress], None] = lambda progress: None,
    announce: Announce | None = None,
) -> BuildResult:
    """Find, measure, align and judge every face of the sources, and write or continue the dataset.

    sources: one or several files, folders, globs, archives and lists of paths.
    dataset: the folder to write. It is new or empty, or it is a dataset that was built with the same settings, policy
    and options, and then new pictures are added to it.
    settings: such as `Settings.load(workers=2)`; None takes the environment and the defaults.
    policy: the rules that decide which faces are kept; None is `reference`.
    label_from: `folder` labels a picture with its folder, `folder:1` with the first folder below the named one,
    `name:PATTERN` with the group `label` of a regular expression in its path; see docs/pictures.md.
    crops: unaligned crops to write as well, `face` and `head`. keep_rejected: write crops of rejected faces too.
    marked: write copies of the pictures with boxes and numbers drawn on them.
    prune: remove pictures from the dataset that are no longer in the sources, and the old names of moved pictures.
    allow_mixed_engines: continue a dataset that was built with an inference engine whose numbers differ in their last
    digits from those of this machine, and record both.
    follow_links: follow links that lead out of a named folder. include_hidden: read hidden files and folders, and those
    of trash and NAS systems. archive_encoding: encoding of names in old archives, such as `gbk`. path_column,
    label_column: columns of lists, by name, or by number in lists without a header. list_encoding: encoding of text
    lists that are not UTF-8.
    watch: called with the running counts, before the first picture and after every picture. announce: called with one
    line about each model that is fetched and about files that are left out; None prints it to stderr.

    The build runs in `settings.workers` processes; with `workers=1` it runs in this process alone.
    Raises UsageError when an argument is wrong, PolicyError when a rule compares the faces of a whole dataset,
    ModelError when a model is missing, DatasetError when the dataset cannot be written or continued or lacks files at
    the end, and WorkerError when worker processes cannot be started.
    """
    settings = settings or Settings.load()
    named = _as_paths(sources)
    prepare_engine(named, settings)
    from facesieve.dataset.disk.outputs import Outputs
    from facesieve.models.store import Store, tell
    from facesieve.pipeline import Pipeline
    from facesieve.quality import OF_ONE_PICTURE
    from facesieve.run.build import BuildSpec
    from facesieve.run.build import build as build_dataset
    from facesieve.run.claim import check_writable
    from facesieve.run.inference import engines_of, resolved
    from facesieve.sieve import Policy
    from facesieve.sources import SourceOptions, find_sources

    root, policy, announce = Path(dataset), (policy or Policy.preset()).for_pictures(), announce or tell
    outputs = Outputs(keep_rejected, _cuts(crops), marked)
    reading = SourceOptions(
        label_from, follow_links, include_hidden, archive_encoding, path_column, label_column, list_encoding
    )
    found = find_sources(named, settings, reading, leave_out=[root])
    for line in found.lines():
        announce(line)
    engine_for(settings, len(found.sources)).prepare()  # now the pictures in archives and lists are counted
    settings = resolved(settings)
    check_writable(root)
    store = Store(settings, announce)
    _check_device(settings, store)
    measures = tuple(measure.name for measure in OF_ONE_PICTURE)
    models = _models(settings, store)
    spec = BuildSpec(settings, measures, outputs, policy, models, engines_of(settings), reading.labels.text)
    offline = settings.model_copy(update={"offline": True})  # the models are in the cache by now
    make_pipeline = partial(Pipeline, offline, policy)
    result = build_dataset(
        found.sources, root, make_pipeline, spec, watch, named, prune, allow_mixed_engines, found.listed
    )
    return replace(result, left_out=found.left_out, notes=tuple(found.notes))


def _as_paths(sources: PathText | Iterable[PathText]) -> list[str]:
    if isinstance(sources, str | os.PathLike):
        return [os.fsdecode(sources)]
    return [os.fsdecode(source) for source in sources]


def _cuts(crops: Iterable[str]) -> tuple[str, ...]:
    from facesieve.dataset.disk.outputs import CUTS
    from facesieve.errors import UsageError

    wanted = tuple(sorted({crops} if isinstance(crops, str) else set(crops)))
    unknown = [crop for crop in wanted if crop not in CUTS]
    if unknown:
        raise UsageError("unknown_crop", f"There is no crop {unknown[0]!r}; choose from {', '.join(CUTS)}.")
    return wanted


def _check_device(settings: Settings, store: Store) -> None:
    """Raise the error of a GPU that cannot be used, before anything is written."""
    if settings.device != "cpu":
        from facesieve.detect import load_networks

        load_networks(settings, store)


def _models(settings: Settings, store: Store) -> dict[str, str]:
    """Fetch and verify the models that the settings use. Returns the sha256 of every file, by model and part."""
    from facesieve.models.catalog import needed

    used = needed(settings)
    for name in used:
        store.load(name)
    return {f"{name}/{part}": digest for name in used for part, digest in store.digests(name).items()}

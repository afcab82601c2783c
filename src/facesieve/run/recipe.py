"""The public function `build`: sources in, dataset out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from facesieve.run.engines.choose import prepare_engine
from facesieve.run.engines.ray_cluster import check_address
from facesieve.settings import Settings

if TYPE_CHECKING:  # heavy packages are imported while the fork server starts
    from facesieve.models.store import Announce
    from facesieve.run.build_result import BuildResult
    from facesieve.run.crop_choice import CropsAs
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
    marked_video: bool = False,
    crops_as: CropsAs | None = None,
    prune: bool = False,
    allow_again: bool = False,
    on: str | None = None,
    shard: tuple[int, int] | None = None,
    work_folder: PathText | None = None,
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

    sources: one or several files, folders, globs, archives, URLs, folders of buckets, and lists of paths and URLs.
    dataset: the folder to write. It is new or empty, or it is a dataset that was built with the same settings, policy
    and options, and then new pictures are added to it. It may also be a folder of a bucket, such as
    `s3://bucket/dataset`; see docs/buckets.md.
    settings: such as `Settings.load(workers=2)`; None takes the environment and the defaults.
    policy: the rules that decide which faces are kept; None is `reference`.
    label_from: `folder` labels a picture with its folder, `folder:1` with the first folder below the named one,
    `name:PATTERN` with the group `label` of a regular expression in its path; see docs/pictures.md.
    crops: unaligned crops to write as well, `face` and `head`. keep_rejected: write crops of rejected faces too.
    marked: write copies of the pictures with boxes and numbers drawn on them; of a clip, of one frame.
    marked_video: write copies of the clips with boxes and the numbers of tracks drawn on them.
    crops_as: `files` writes each crop as a file, `shards` writes crops into tar files in WebDataset form. None keeps
    the form of an existing dataset; a new one has `shards` for more than `settings.most_crop_files` pictures.
    prune: remove pictures from the dataset that are no longer in the sources, and the old names of moved pictures.
    allow_again: add pictures again that were forgotten.
    on: `ray` builds in the Ray cluster of RAY_ADDRESS, or without that in one that is started on this machine;
    `ray://HOST:PORT` builds in a cluster elsewhere. None builds on this machine without Ray.
    shard: `(3, 64)` adds only the third of 64 parts of the sources, so that 64 machines can each build one; `merge`
    joins their datasets. A hash of its name decides to which part a source belongs.
    work_folder: where a dataset of a bucket is written before it is copied there; None is a folder in the cache.
    allow_mixed_engines: continue a dataset that was built with an inference engine whose numbers differ in their last
    digits from those of this machine, and record both; also, use machines of a cluster that differ in that way.
    follow_links: follow links that lead out of a named folder. include_hidden: read hidden files and folders, and those
    of trash and NAS systems. archive_encoding: encoding of names in old archives, such as `gbk`. path_column,
    label_column: columns of lists, by name, or by number in lists without a header. list_encoding: encoding of text
    lists that are not UTF-8.
    watch: called with the running counts, before the first picture and after every picture and every frame of a clip.
    announce: called with one line about each model that is fetched and about files that are left out; None prints it to
    stderr.

    The build runs in `settings.workers` processes; with `workers=1` it runs in this process alone.
    Raises UsageError when an argument is wrong, PolicyError when a rule needs another dataset to compare with, and
    ModelError when a model is missing. Raises DatasetError when the dataset cannot be written or continued, or lacks
    files at the end. Raises WorkerError when worker processes cannot be started, or when a cluster cannot be used.
    """
    settings = settings or Settings.load()
    named = _as_paths(sources)
    if on:
        check_address(on)
    else:
        prepare_engine(named, settings)
    from facesieve.dataset.disk.outputs import Outputs
    from facesieve.draw.vp8 import check_vp8
    from facesieve.identity.crop_settings import check_crops
    from facesieve.models.store import Store, tell
    from facesieve.run.build import build_dataset
    from facesieve.run.build_machines import opened_machines
    from facesieve.run.build_steps import announce_found, check_device, settings_here, spec_of, with_notes
    from facesieve.run.claim import check_writable
    from facesieve.run.crop_choice import check_marked, checked_cuts, checked_form, tar_bytes_of
    from facesieve.run.dataset_rules import check_comparable, rules_for_pictures
    from facesieve.run.inference import loaded_models
    from facesieve.run.output import opened_output
    from facesieve.run.portion import checked_portion
    from facesieve.sieve import Policy
    from facesieve.sources import SourceOptions, find_sources

    portion = checked_portion(shard)
    policy, announce = policy or Policy.preset(), announce or tell
    form = checked_form(crops_as, dataset)
    embedded = settings.identity != "none"
    notes = check_comparable(policy, embedded)
    alone = rules_for_pictures(policy, embedded)
    check_marked(marked or marked_video, policy, alone)
    if marked_video:
        check_vp8()
    outputs = Outputs(keep_rejected, checked_cuts(crops), marked, marked_video)
    reading = SourceOptions(
        label_from, follow_links, include_hidden, archive_encoding, path_column, label_column, list_encoding
    )
    with ExitStack() as stack:
        output = stack.enter_context(opened_output(dataset, work_folder, settings, announce))
        root = output.root
        found = find_sources(named, settings, reading, leave_out=[root], counted=portion.of)
        announce_found(found, notes, announce)
        if not on:
            settings = settings_here(settings, found, portion)
        check_crops(settings)
        check_writable(root)
        outputs = replace(outputs, tar_bytes=tar_bytes_of(root, form, len(found.sources), settings))
        store = Store(settings, announce)
        if not on:
            check_device(settings, store)
        models = loaded_models(settings, store)
        machines = stack.enter_context(
            opened_machines(on, settings, found.sources, models, alone, keep_rejected, allow_mixed_engines)
        )
        spec = spec_of(settings, policy, outputs, reading.labels.text, store, models, machines)

        def watched(progress: Progress) -> None:
            output.check()
            watch(progress)

        result = build_dataset(
            found.sources,
            root,
            machines.make_pipeline,
            spec,
            watch=watched,
            named=named,
            prune=prune,
            allow_again=allow_again,
            allow_mixed_engines=allow_mixed_engines,
            listed=found.listed,
            engine=machines.engine,
            portion=portion,
            beside=output.following,
        )
        output.publish()
    return with_notes(result, found, notes, embedded, announce)


def _as_paths(sources: PathText | Iterable[PathText]) -> list[str]:
    if isinstance(sources, str | os.PathLike):
        return [os.fsdecode(sources)]
    return [os.fsdecode(source) for source in sources]

"""Where the shards of a build run: on this machine or in a Ray cluster, and what is recorded of the machines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from facesieve.dataset.origin import InferenceEngine
from facesieve.pipeline import Pipeline
from facesieve.records import Source
from facesieve.run.build_spec import versions_here
from facesieve.run.engines.engine import BuildEngine, MakePipeline
from facesieve.run.inference import engines_of
from facesieve.settings import Settings
from facesieve.sieve import Policy


@dataclass(frozen=True, slots=True)
class Machines:
    """What runs the shards of a build.

    engine: the build engine; None chooses one by the number of unfinished pictures. make_pipeline: makes the pipeline
    of each worker. engines: the inference engine of each network. versions: as in `BuildSpec`.
    """

    engine: BuildEngine | None
    make_pipeline: MakePipeline
    engines: tuple[InferenceEngine, ...]
    versions: Mapping[str, tuple[str, ...]]


@contextmanager
def opened_machines(
    on: str | None,
    settings: Settings,
    sources: Sequence[Source],
    models: Mapping[str, str],
    policy: Policy,
    embed_rejected: bool,
    allow_mixed_engines: bool,
) -> Iterator[Machines]:
    """This machine, or a Ray cluster until the block ends.

    on: None, or as in `ray_engine`. settings: resolved, without `on`. models: the sha256 of each file; they are in the
    cache. policy, embed_rejected: as in `Pipeline`. Raises what `ray_engine` raises.
    """
    if on is None:
        offline = settings.model_copy(update={"offline": True})
        make_pipeline = partial(Pipeline, offline, policy, embed_rejected=embed_rejected)
        yield Machines(None, make_pipeline, engines_of(settings), versions_here())
        return
    from facesieve.run.engines.ray_engine import ray_engine

    with ray_engine(on, settings, sources, models, allow_mixed_engines) as ray:
        cluster = ray.cluster
        yield Machines(ray, ray.make_pipeline(policy, embed_rejected), cluster.engines(), cluster.versions())

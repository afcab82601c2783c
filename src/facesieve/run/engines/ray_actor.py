"""What runs in the processes of a Ray cluster: a look at a node before the build, and the actor that does shards."""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

import cv2

from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.origin import InferenceEngine, versions
from facesieve.errors import DatasetError, FacesieveError, UsageError
from facesieve.models.store import Store
from facesieve.pipeline import Pipeline
from facesieve.processes.protocol import Reply
from facesieve.run.claim import is_locked
from facesieve.run.engines.engine import MakePipeline
from facesieve.run.engines.worker import PictureStarted
from facesieve.run.inference import engines_of, loaded_models, resolved
from facesieve.run.permit import Permit
from facesieve.run.plan import Shard
from facesieve.run.shard import ShardRunner
from facesieve.settings import Settings
from facesieve.sieve import Policy

_GATHER = 0.2  # seconds in which reports are gathered into one answer
ReportValue = Any  # what `processes.protocol.Reply.value` holds


@dataclass(frozen=True, slots=True)
class GivenSettings:
    """The settings of the build as another machine uses them.

    given: all settings that the user chose. `auto` stays `auto`, so that every node uses its own fastest instruction
    set, and without a chosen `cache_dir` every node uses its own cache.
    """

    given: Mapping[str, Any]

    @classmethod
    def of(cls, settings: Settings) -> GivenSettings:
        """Those of these settings that are not defaults of this machine."""
        return cls(settings.model_dump(exclude_unset=True))

    def here(self) -> Settings:
        """The settings for this node."""
        return Settings(**({"cache_dir": Settings.load().cache_dir} | dict(self.given)))


@dataclass(frozen=True, slots=True)
class MakeNodePipeline:
    """Builds the pipeline of an actor, from models in the cache of its node. embed_rejected: see `Pipeline`."""

    settings: GivenSettings
    policy: Policy
    embed_rejected: bool

    def __call__(self) -> Pipeline:
        return Pipeline(self.settings.here(), self.policy, lambda line: None, self.embed_rejected)


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What a node would work with. models: sha256 of each model file by model and part."""

    versions: Mapping[str, str]
    engines: tuple[InferenceEngine, ...]
    models: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SourceSample:
    """A file with pictures and its size in bytes, to see whether a node has the same file."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Question:
    """What a node is asked before it works. samples: files that it must have."""

    settings: GivenSettings
    samples: Sequence[SourceSample]


@dataclass(frozen=True, slots=True)
class Ready:
    """An actor has started. node, address: where it runs.

    facts: those of a node that the build did not know; None for a known node; the error if the actor cannot work.
    """

    node: str
    address: str
    facts: NodeFacts | FacesieveError | None


def facts_of_node(question: Question) -> NodeFacts | FacesieveError:
    """What this node would work with. Fetches models that are not in its cache, unless the settings say offline.

    Returns the error if a model or a source cannot be used here.
    """
    try:
        here = question.settings.here()
        models = loaded_models(here, Store(here, announce=lambda line: None))
        for sample in question.samples:
            _check_sample(sample)
        return NodeFacts(versions(), engines_of(resolved(here)), models)
    except FacesieveError as error:
        return error


def _check_sample(sample: SourceSample) -> None:
    try:
        size = os.stat(sample.path).st_size  # noqa: PTH116 - a path of any bytes
    except OSError as error:
        raise UsageError("unreachable", f"cannot read {sample.path}: {error.strerror}") from error
    if size != sample.size:
        raise UsageError("unreachable", f"has another file as {sample.path}")


def check_dataset(layout: Layout, permit: Permit) -> FacesieveError | None:
    """Check that this node sees the dataset of the build, and its lock. Returns the error if it does not."""
    try:
        with permit.held():
            pass
        if not is_locked(layout):
            raise DatasetError("unreachable", f"does not see the lock of {layout.root}; mount the folder with locks")
    except DatasetError as error:
        if error.code == "revoked":
            return DatasetError("unreachable", f"does not have the dataset {layout.root}")
        return error
    return None


class ShardActor:
    """A worker of a build in a Ray cluster: one pipeline, which does one shard after another in a thread."""

    def __init__(self, runner: ShardRunner, permit: Permit, make_pipeline: MakePipeline) -> None:
        self._runner, self._permit, self._make_pipeline = replace(runner, permit=permit), permit, make_pipeline
        self._shards, self._reports = queue.SimpleQueue[Shard](), queue.SimpleQueue[Reply | Exception]()

    def prepare(self, question: Question, known: Set[str]) -> Ready:
        """Build the pipeline. On a node that the build does not know yet, look at it first.

        known: ids of nodes.
        """
        import ray

        node, facts = ray.get_runtime_context().get_node_id(), None
        if node not in known:
            facts = facts_of_node(question)
            if isinstance(facts, NodeFacts):
                facts = check_dataset(self._runner.layout, self._permit) or facts
        if not isinstance(facts, FacesieveError):
            cv2.setNumThreads(self._runner.settings.threads)
            try:
                pipeline = self._make_pipeline()
            except FacesieveError as error:
                facts = error
            else:
                threading.Thread(target=self._run, args=(pipeline,), daemon=True).start()
        return Ready(node, ray.util.get_node_ip_address(), facts)

    def reports(self, shard: Shard | None = None) -> list[Reply]:
        """Begin a shard if one is passed. Then wait for reports, and return those of a short time.

        Raises what the pipeline raised, if that is not a FacesieveError.
        """
        if shard is not None:
            self._shards.put(shard)
        return list(self._gathered())

    def _gathered(self) -> Iterator[Reply]:
        until: float | None = None
        while True:
            try:
                report = self._reports.get(timeout=None if until is None else max(0.0, until - time.monotonic()))
            except queue.Empty:
                return
            if isinstance(report, Exception):
                raise report
            yield report
            if report.last:
                return
            until = until or time.monotonic() + _GATHER

    def _run(self, pipeline: Any) -> None:
        while True:
            shard = self._shards.get()
            last: ReportValue = None
            try:
                for tally in self._runner.run(shard, pipeline, self._started):
                    self._report(tally)
            except FacesieveError as error:
                last = error
            except Exception as error:
                self._reports.put(error)
                return
            self._report(last, last=True)

    def _started(self, index: int) -> None:
        self._report(PictureStarted(index))

    def _report(self, value: ReportValue, last: bool = False) -> None:
        self._reports.put(Reply(0, 0, value, last))

"""The interface between a build and the build engine that runs its shards: shards in, tallies out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from facesieve.run.plan import Shard
from facesieve.run.progress import Tally
from facesieve.run.shard import BuildPipeline, ShardRunner

MakePipeline = Callable[[], BuildPipeline]  # called once in every process that needs a pipeline


class BuildEngine(Protocol):
    """Runs the shards of a build: in any order, in any process, on any machine that can write to the dataset."""

    @property
    def workers(self) -> int:
        """How many shards it works on at the same time. The build chooses the size of its shards by it."""

    def prepare(self) -> None:
        """Start early what takes long to start. It may be called more than once, and a build may not follow."""

    def run(self, shards: Sequence[Shard], runner: ShardRunner, make_pipeline: MakePipeline) -> Iterator[Tally]:
        """Run every shard with `runner.run`, and yield the counts of its pictures as they are done.

        When the iterator is exhausted, every picture is in exactly one committed shard. A shard may be run again, or
        be split into shards whose numbers are above all others. The counts of work that was lost are yielded once more
        as negative tallies, so that the sum of all tallies is right. However the iterator ends, nothing that the
        engine started outlives it. The dataset does not depend on the engine.

        make_pipeline: picklable where the engine works in other processes.
        Raises the FacesieveError of `make_pipeline` or `runner`, and WorkerError when the engine cannot go on.
        """

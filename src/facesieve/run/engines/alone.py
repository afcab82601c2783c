"""The build engine that runs every shard in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facesieve.run.engines.engine import MakePipeline
    from facesieve.run.plan import Shard
    from facesieve.run.progress import Tally
    from facesieve.run.shard import ShardRunner


@dataclass(frozen=True, slots=True)
class Alone:
    """One shard after another, in this process. Without shards, no pipeline is built."""

    @property
    def workers(self) -> int:
        return 1

    def prepare(self) -> None:
        """Nothing has to start early."""

    def run(self, shards: Sequence[Shard], runner: ShardRunner, make_pipeline: MakePipeline) -> Iterator[Tally]:
        """See `BuildEngine.run`."""
        if not shards:
            return
        pipeline = make_pipeline()
        for shard in shards:
            yield from runner.run(shard, pipeline)

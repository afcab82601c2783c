"""The build engine that runs shards in worker processes of this machine."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from facesieve.processes.forkserver import start_forkserver

if TYPE_CHECKING:  # this file is imported before the heavy packages
    from facesieve.run.engines.engine import MakePipeline
    from facesieve.run.plan import Shard
    from facesieve.run.progress import Tally
    from facesieve.run.shard import ShardRunner

# What the fork server imports. The first keeps the others from starting threads, which a fork would lose.
PRELOAD = ("facesieve.__main__", "facesieve.pipeline", "facesieve.run.engines.worker")
_OF_COMMAND = "facesieve.processes.without_pandas"


def preload() -> tuple[str, ...]:
    """What the fork server of this process imports."""
    return (_OF_COMMAND, *PRELOAD) if _OF_COMMAND in sys.modules else PRELOAD


@dataclass(frozen=True, slots=True)
class Pool:
    """A fixed number of worker processes. Each has its own pipeline and runs one shard after another.

    A worker that crashes or hangs costs at most the picture that caused it (`schedule`).
    """

    workers: int

    def prepare(self) -> None:
        """Start the fork server, which imports what workers need while this process goes on."""
        start_forkserver(preload())

    def run(self, shards: Sequence[Shard], runner: ShardRunner, make_pipeline: MakePipeline) -> Iterator[Tally]:
        """See `BuildEngine.run`. Raises WorkerError also when no worker can be started."""
        from facesieve.run.engines.schedule import Schedule
        from facesieve.run.engines.worker import Processes

        schedule = Schedule(shards, runner, Processes(runner, make_pipeline), self.workers)
        try:
            yield from schedule.tallies()
        finally:
            schedule.close()

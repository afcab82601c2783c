"""The build engine that runs shards in the actors of a Ray cluster.

Ray's own restarts and retries are not used: the schedule must see every death, to find the picture that causes it.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from facesieve.dataset.disk.layout import Layout
from facesieve.errors import FacesieveError, WorkerError
from facesieve.processes.child import ChildDied
from facesieve.processes.cores import cores
from facesieve.processes.protocol import Reply
from facesieve.records import Source
from facesieve.run.engines.choose import workers_for
from facesieve.run.engines.engine import MakePipeline
from facesieve.run.engines.ray_actor import MakeNodePipeline, Ready, ShardActor
from facesieve.run.engines.ray_cluster import connected
from facesieve.run.engines.ray_nodes import Cluster, look_at_nodes, with_absolute_path
from facesieve.run.engines.schedule import Schedule
from facesieve.run.engines.worker import Worker
from facesieve.run.permit import Permit, grant, revoke_all
from facesieve.run.plan import Shard
from facesieve.run.progress import Tally
from facesieve.run.shard import ShardRunner
from facesieve.settings import Settings
from facesieve.sieve import Policy
from facesieve.stop import same_stop


@dataclass(frozen=True, slots=True)
class RayEngine:
    """A fixed number of actors. Each has its own pipeline, runs one shard after another and commits it."""

    cluster: Cluster
    workers: int

    def make_pipeline(self, policy: Policy, embed_rejected: bool) -> MakePipeline:
        """What builds the pipeline of an actor, from the models of its node. embed_rejected: see `Pipeline`."""
        return MakeNodePipeline(self.cluster.question.settings, policy, embed_rejected)

    def prepare(self) -> None:
        """The cluster runs already."""

    def run(self, shards: Sequence[Shard], runner: ShardRunner, make_pipeline: MakePipeline) -> Iterator[Tally]:
        """See `BuildEngine.run`. Also raises WorkerError `unreachable` if a node does not see the dataset."""
        if not shards:
            return
        runner = replace(runner, layout=Layout(Path(runner.layout.root).absolute()))
        self.cluster.check_dataset(runner.layout)
        shards = [replace(shard, sources=tuple(map(with_absolute_path, shard.sources))) for shard in shards]
        schedule = Schedule(shards, runner, Actors(self.cluster, runner, make_pipeline), self.workers)
        try:
            yield from schedule.tallies()
        finally:
            schedule.close()
            with suppress(FacesieveError):  # the next build revokes what is left
                revoke_all(runner.layout)


@contextmanager
def ray_engine(
    on: str, settings: Settings, sources: Sequence[Source], models: Mapping[str, str], allow_mixed_engines: bool
) -> Iterator[RayEngine]:
    """Connect to a cluster and look at its nodes. Yields the engine for a build of these sources.

    on: as in `connected`. models, allow_mixed_engines: as in `Cluster`.
    Raises what `connected` and `look_at_nodes` raise.
    """
    cost = sum(source.cost for source in sources)
    with connected(on, workers_for(settings, cost, cores())) as ray:
        cluster = look_at_nodes(ray, settings, sources, models, allow_mixed_engines)
        yield RayEngine(cluster, workers_for(settings, cost, cluster.processors() // settings.threads))


@dataclass(frozen=True, slots=True)
class Actors:
    """Starts the actors of one build, and waits for them; see `Crew`."""

    cluster: Cluster
    runner: ShardRunner
    make_pipeline: MakePipeline

    @property
    def without_workers(self) -> str:
        seconds = self.runner.settings.start_timeout
        return (
            f"The Ray cluster started no worker within {seconds:g} seconds. Wait until it has free processors, or "
            "raise the setting start_timeout."
        )

    def start(self) -> Worker:
        """See `Crew.start`."""
        permit = grant(self.runner.layout)
        settings = self.runner.settings
        gpus = 1 if settings.device == "cuda" else 0
        actor = (
            self.cluster.ray.remote(ShardActor)
            .options(num_cpus=settings.threads, num_gpus=gpus, max_restarts=0, max_task_retries=0)
            .remote(self.runner, permit, self.make_pipeline)
        )
        ready = actor.prepare.remote(self.cluster.question, frozenset(self.cluster.facts))
        return Worker(ActorProcess(self.cluster, actor, permit, ready))

    def wait(self, workers: Sequence[Worker], seconds: float) -> list[Worker]:
        """See `Crew.wait`."""
        actors = {worker.child: worker for worker in workers if isinstance(worker.child, ActorProcess)}
        known = [worker for actor, worker in actors.items() if actor.replies]
        if known:
            return known
        by_answer = {actor.answer: worker for actor, worker in actors.items()}
        ray = self.cluster.ray
        try:
            with same_stop():
                ready, _ = ray.wait(list(by_answer), num_returns=1, timeout=seconds)
                if ready:  # others may be ready too
                    ready, _ = ray.wait(list(by_answer), num_returns=len(by_answer), timeout=0)
        except (ConnectionError, ray.exceptions.RaySystemError) as error:
            raise _lost() from error
        return [by_answer[answer] for answer in ready]


@dataclass(slots=True, eq=False)
class ActorProcess:
    """An actor with the methods of `Child`. answer: of its last call. replies: those received and not read yet."""

    cluster: Cluster
    actor: Any
    permit: Permit
    answer: Any
    node: str = ""
    replies: deque[Reply] = field(default_factory=deque)

    def wait_ready(self) -> None:
        """Wait until it has its pipeline. Raises ChildDied, or the FacesieveError with which its start failed."""
        ready: Ready = self._get()
        self.node = ready.node
        self.cluster.admit(ready)

    def send(self, value: Shard) -> None:
        """Send a shard."""
        self.answer = self.actor.reports.remote(value)

    def receive(self) -> Reply:
        """The next report. Raises ChildDied."""
        if not self.replies:
            self.replies.extend(self._get())
            if not self.replies[-1].last:
                self.answer = self.actor.reports.remote()
        return self.replies.popleft()

    def kill(self) -> None:
        """Kill its process."""
        with suppress(Exception):  # the connection may be lost; then Ray kills it
            self.cluster.ray.kill(self.actor)

    def close(self) -> None:
        """Kill its process, and make sure that it writes nothing any more."""
        self.kill()
        self.permit.revoke()

    def _get(self) -> Any:
        ray = self.cluster.ray
        try:
            with same_stop():
                return ray.get(self.answer)
        except ray.exceptions.RayActorError:
            # A lost node is not the fault of a picture.
            raise ChildDied(delivered=self.node in _living(ray)) from None
        except ray.exceptions.RayTaskError as error:
            print(error, file=sys.stderr)  # a fault of the pipeline; a process of a pool shows it too
            self.kill()
            raise ChildDied from None
        except (ConnectionError, ray.exceptions.RaySystemError) as error:
            raise _lost() from error


def _living(ray: Any) -> set[str]:
    return {node["NodeID"] for node in ray.nodes() if node["Alive"]}


def _lost() -> WorkerError:
    return WorkerError("cluster_lost", "The connection to the Ray cluster is lost. Run the same build again.")

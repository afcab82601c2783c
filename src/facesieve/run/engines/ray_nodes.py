"""Looks at every node of a Ray cluster before a build, and compares what the nodes would work with."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass, replace
from typing import Any, TypeVar

from facesieve.dataset.disk.layout import Layout
from facesieve.dataset.origin import InferenceEngine, other_engines, versions
from facesieve.errors import FacesieveError, ModelError, WorkerError
from facesieve.records import Source
from facesieve.run.engines.ray_actor import (
    GivenSettings,
    NodeFacts,
    Question,
    Ready,
    SourceSample,
    check_dataset,
    facts_of_node,
)
from facesieve.run.permit import grant
from facesieve.settings import Settings
from facesieve.stop import same_stop
from facesieve.version import __version__

_SAMPLES = 50  # files that every node must have


@dataclass(frozen=True, slots=True)
class Cluster:
    """The nodes of a cluster that work for a build.

    ray: the module, connected. question: what each node was asked. models: the sha256 of every model file.
    allow_mixed_engines: whether the inference engines of the nodes may differ. addresses, facts: by id of the node.
    """

    ray: Any
    question: Question
    models: Mapping[str, str]
    allow_mixed_engines: bool
    addresses: dict[str, str] = field(default_factory=dict)
    facts: dict[str, NodeFacts] = field(default_factory=dict)

    def engines(self) -> tuple[InferenceEngine, ...]:
        """The inference engines of all nodes, sorted by network."""
        found = {engine for one in self.facts.values() for engine in one.engines}
        return tuple(sorted(found, key=InferenceEngine.line))

    def versions(self) -> dict[str, tuple[str, ...]]:
        """All versions of each package, on the nodes and on this machine, which publishes the dataset."""
        found = [versions(), *(one.versions for one in self.facts.values())]
        names = sorted({name for one in found for name in one})
        return {name: tuple(sorted({one[name] for one in found if name in one})) for name in names}

    def processors(self) -> int:
        """Processors of all nodes."""
        return int(self.ray.cluster_resources().get("CPU", 0))

    def check_dataset(self, layout: Layout) -> None:
        """Check that every node sees the locked dataset. Raises WorkerError `unreachable` that names a node."""
        permit = grant(layout)
        try:
            ask(self.ray, self.addresses, check_dataset, layout, permit)
        finally:
            permit.revoke()

    def admit(self, ready: Ready) -> None:
        """Add a node that joined during the build. Raises WorkerError as `look_at_nodes` does."""
        facts = checked(ready.address, ready.facts)
        if facts is None:
            return
        self._compare(ready.address, facts)
        if not {*facts.engines} <= {*self.engines()}:  # the dataset has recorded the others already
            raise _other(f"Node {ready.address} joined later, with another inference engine. Run the same build again.")
        self.addresses[ready.node], self.facts[ready.node] = ready.address, facts

    def look(self) -> None:
        """Ask every node that has processors, and add it."""
        living = {
            node["NodeID"]: str(node["NodeManagerAddress"])
            for node in self.ray.nodes()
            if node["Alive"] and node["Resources"].get("CPU", 0) > 0
        }
        for (node, address), facts in zip(
            living.items(), ask(self.ray, living, facts_of_node, self.question), strict=True
        ):
            self._compare(address, facts)
            self.addresses[node], self.facts[node] = address, facts
        if not living:
            raise WorkerError("no_cluster", "The Ray cluster has no node with processors.")

    def _compare(self, address: str, facts: NodeFacts) -> None:
        theirs = facts.versions["facesieve"]
        if theirs != __version__:
            raise _other(f"Node {address} has FaceSieve {theirs}, and this is {__version__}. Install the same version.")
        if dict(facts.models) != dict(self.models):
            raise _other(f"Node {address} has other models than this machine: {', '.join(_differing(self, facts))}.")
        for node, other in self.facts.items():
            lines = [] if self.allow_mixed_engines else other_engines(other.engines, facts.engines)
            if lines:
                raise _other(
                    f"Node {address} has another inference engine than node {self.addresses[node]}; their numbers"
                    " differ in the last digits. Use one (settings `engine` and `isa`), or allow both with"
                    " --allow-mixed-engines.\n" + "\n".join(f"  {line}" for line in lines)
                )


def look_at_nodes(
    ray: Any, settings: Settings, sources: Sequence[Source], models: Mapping[str, str], allow_mixed_engines: bool
) -> Cluster:
    """Ask every node that has processors what it would work with. The parameters are those of `Cluster`.

    Raises WorkerError that names a node: `node_failed` when it cannot run this version, `unreachable` when it lacks a
    source, `other_node` when it has other models or another inference engine; and ModelError when it lacks a model.
    """
    cluster = Cluster(ray, Question(GivenSettings.of(settings), _samples(sources)), models, allow_mixed_engines)
    cluster.look()
    return cluster


def _differing(cluster: Cluster, facts: NodeFacts) -> list[str]:
    return sorted({name for name, _ in {*facts.models.items()} ^ {*cluster.models.items()}})


def with_absolute_path(source: Source) -> Source:
    """The same source, opened by an absolute path, because the processes of a cluster have other current folders."""
    path = getattr(source.open, "path", None)
    if not isinstance(path, str) or not is_dataclass(source.open) or isinstance(source.open, type):
        return source
    opener: Any = source.open
    return replace(source, open=replace(opener, path=os.path.abspath(path)))  # noqa: PTH100 - resolves no links


def _samples(sources: Sequence[Source]) -> list[SourceSample]:
    """Some of the files that hold the pictures, spread over all sources."""
    paths = dict.fromkeys(
        os.path.abspath(path)  # noqa: PTH100 - resolves no links
        for source in sources[:: max(1, len(sources) // _SAMPLES)]
        if isinstance(path := getattr(source.open, "path", None), str)
    )
    return [SourceSample(path, os.stat(path).st_size) for path in paths if os.path.exists(path)]  # noqa: PTH110, PTH116


def ask(ray: Any, nodes: Mapping[str, str], function: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What a function returns on each node. nodes: address by id. Raises WorkerError that names a node that fails."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    remote, asked = ray.remote(function), []
    for node in nodes:
        there = NodeAffinitySchedulingStrategy(node, soft=False)
        asked.append(remote.options(num_cpus=0, scheduling_strategy=there).remote(*arguments))
    return [_answer(ray, address, one) for address, one in zip(nodes.values(), asked, strict=True)]


def _answer(ray: Any, address: str, asked: Any) -> Any:
    try:
        with same_stop():
            answer = ray.get(asked)
    except Exception as error:  # the node has died, or has no FaceSieve or an older one
        reason = next(reversed(str(error).strip().splitlines()), type(error).__name__)
        raise WorkerError(
            "node_failed",
            f"Node {address} cannot run FaceSieve {__version__} ({reason}). Install this version there.",
        ) from error
    return checked(address, answer)


Answer = TypeVar("Answer")


def checked(address: str, answer: Answer | FacesieveError) -> Answer:
    """An answer of a node that is not an error. Raises the error as one that names the node."""
    if not isinstance(answer, FacesieveError):
        return answer
    if answer.code == "unreachable":
        raise WorkerError("unreachable", f"Node {address} {answer.message}. All nodes must have the same folders.")
    kind = ModelError if isinstance(answer, ModelError) else WorkerError
    raise kind(answer.code, f"Node {address}: {answer.message}")


def _other(message: str) -> WorkerError:
    return WorkerError("other_node", message)

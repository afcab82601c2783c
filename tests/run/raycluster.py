"""A real Ray cluster of several nodes on this machine, for tests: nodes can be killed and added."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
PATH = os.pathsep.join([str(TESTS), str(TESTS / "crash")])


class RayNodes:
    """A head and further nodes with one processor each. client: the address for `--on ray://`."""

    def __init__(self, nodes: int) -> None:
        os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": PATH}
        from ray.cluster_utils import Cluster

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.client = f"ray://127.0.0.1:{port}"
        head = {"num_cpus": 1, "include_dashboard": False, "ray_client_server_port": port, **_SMALL}
        self._cluster: Any = Cluster(initialize_head=True, head_node_args=head)
        self.others: list[Any] = []
        for _ in range(nodes - 1):
            self.add()

    @property
    def environment(self) -> dict[str, str]:
        """For a build with `--on ray` in this cluster."""
        return {**os.environ, "RAY_ADDRESS": self._cluster.address}

    def add(self) -> None:
        """Add a node."""
        self.others.append(self._cluster.add_node(num_cpus=1, **_SMALL))

    def kill(self) -> None:
        """Kill the node that was added last, with everything on it, as a power cut would."""
        self._cluster.remove_node(self.others.pop(), allow_graceful=False)

    def close(self) -> None:
        self._cluster.shutdown()


_SMALL = {"object_store_memory": 100 * 2**20}


@contextmanager
def ray_nodes(nodes: int = 2) -> Iterator[RayNodes]:
    """A cluster with this many nodes."""
    before = dict(os.environ)
    cluster = RayNodes(nodes)
    try:
        yield cluster
    finally:
        cluster.close()
        os.environ.clear()
        os.environ.update(before)


def actors() -> list[int]:
    """The processes of actors of builds, oldest first."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            if entry.name.isdigit() and b"ray::ShardActor" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return sorted(found)


def build(photos: Path, out: Path, *options: str, env: dict[str, str]) -> subprocess.Popen[str]:
    """`facesieve build` in its own session."""
    command = [sys.executable, "-m", "facesieve", "build", str(photos), "-o", str(out), *options]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=env, start_new_session=True)

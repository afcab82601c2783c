"""A real Ray cluster of several nodes on this machine, for tests: nodes can be killed and added."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

TESTS = Path(__file__).parents[1]
PATH = os.pathsep.join([str(TESTS), str(TESTS / "crash")])

# In the environment of all that this process starts, because other tests may run on this machine.
os.environ["RAY_TESTS_OF"] = str(os.getpid())
MARK = f"RAY_TESTS_OF={os.getpid()}\0".encode()


class RayNodes:
    """A head and further nodes with one processor each."""

    def __init__(self, nodes: int) -> None:
        os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": PATH}
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 1, "include_dashboard": False, **_SMALL}
        self._cluster: Any = Cluster(initialize_head=True, head_node_args=head)
        self.others: list[Any] = []
        for _ in range(nodes - 1):
            self.add()

    @property
    def environment(self) -> dict[str, str]:
        """For a build with `--on ray` in this cluster."""
        return {**os.environ, "RAY_ADDRESS": self._cluster.address}

    def add(self) -> None:
        """Add a node. On a busy machine it may take longer to start than the 30 seconds that Ray waits."""
        for left in (2, 1, 0):
            try:
                self.others.append(self._cluster.add_node(num_cpus=1, **_SMALL))
                return
            except Exception:  # Ray raises no type of its own
                if not left:
                    raise

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


@contextmanager
def ray_client_server(folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """A node with two processors and a client server: the address for `--on`, and the environment to use it.

    `ray start` and not the class above, because there a client server ends with the thread that started it.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": os.urandom(32).hex()}
    env = {**os.environ, **token, "RAY_USAGE_STATS_ENABLED": "0"}
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--num-cpus", "2"]
    command += ["--port", "0", "--ray-client-server-port", str(port), "--temp-dir", str(folder)]
    command += ["--object-store-memory", str(100 * 2**20), "--include-dashboard", "false", "--disable-usage-stats"]
    with (folder / "log").open("wb") as log:
        head = subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)
        try:
            while not _listens(port):
                assert head.poll() is None, (folder / "log").read_text()
                time.sleep(0.1)
            yield f"ray://127.0.0.1:{port}", env
        finally:
            with suppress(ProcessLookupError):
                os.killpg(head.pid, signal.SIGKILL)
            head.wait()


def kill_cluster(folder: Path) -> None:
    """Kill every process of the cluster of `ray_client_server` that keeps its files in a folder, the head first."""
    for entry in sorted(Path("/proc").iterdir(), key=lambda path: (len(path.name), path.name)):
        with suppress(OSError, ValueError):
            if entry.name.isdigit() and os.fsencode(folder) in (entry / "cmdline").read_bytes():
                os.kill(int(entry.name), signal.SIGKILL)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def actors() -> list[int]:
    """The processes of actors of builds that this process has started, oldest first."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            is_actor = entry.name.isdigit() and b"ray::ShardActor" in (entry / "cmdline").read_bytes()
            if is_actor and MARK in (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return sorted(found)


def build(photos: Path, out: Path, *options: str, env: dict[str, str]) -> subprocess.Popen[str]:
    """`facesieve build` in its own session."""
    command = [sys.executable, "-m", "facesieve", "build", str(photos), "-o", str(out), *options]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=env, start_new_session=True)

"""Where worker processes come from: forks of one process that has imported what they need, or new ones elsewhere."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from functools import cache
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from typing import Any

# The first sees to it that the others start no thread, which a fork would lose.
SHARED = ["facesieve.__main__", "facesieve.pipeline", "facesieve.run.pool"]


def prepare() -> bool:
    """Let the process that forks begin to import, while the build looks for its pictures. Whether there is one."""
    if sys.platform != "linux":  # Windows cannot fork, and macOS has libraries that do not survive it
        return False
    from multiprocessing import forkserver

    multiprocessing.set_forkserver_preload(SHARED)
    resource_tracker.ensure_running()  # would let SIGINT through again
    try:
        with _undisturbed():
            forkserver.ensure_running()
    except OSError:  # no temporary folder for its socket, or one whose name is too long for it
        return False
    _end_at_exit()
    return True


@cache
def _end_at_exit() -> None:
    """Not before all processes have been waited for: only what forked them can tell how they ended."""
    Finalize(None, _end, exitpriority=-1)


def _end() -> None:
    """End what forks: importing still, it would keep whoever reads this process's output waiting."""
    from multiprocessing import forkserver

    pid = getattr(forkserver._forkserver, "_forkserver_pid", None)  # it has no public name
    with contextlib.suppress(ChildProcessError):  # who waits for all children has seen it end
        if pid and os.waitpid(pid, os.WNOHANG) == (0, 0):
            os.kill(pid, signal.SIGKILL)


def begin(target: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Start a process that ends with this one and never sees Ctrl-C, which is for the build alone."""
    context = multiprocessing.get_context("forkserver") if prepare() else multiprocessing.get_context("spawn")
    process = context.Process(target=target, args=arguments, daemon=True)
    with _undisturbed():
        process.start()
    return process


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """SIGINT and SIGHUP wait; a process that is started meanwhile never sees them: terminals send them to all."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)

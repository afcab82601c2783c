"""Starts child processes: forked from a fork server that has already imported what they need, or as new processes."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from multiprocessing import resource_tracker
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

from facesieve.processes.temporary import remove_stale, temporary_folder

PATIENCE = 60.0  # seconds

# Only the parent handles these; it decides when its children end.
_BLOCKED = {signal.SIGINT, signal.SIGTERM} | ({signal.SIGHUP} if hasattr(signal, "SIGHUP") else set())


def start_forkserver(preload: Sequence[str]) -> bool:
    """Start the fork server, which imports the modules of `preload` in the background. A second call does nothing.

    Returns False when there can be no fork server: outside Linux, or without a usable temporary folder.
    """
    if sys.platform != "linux":  # Windows cannot fork, and some libraries of macOS do not survive a fork
        return False
    from multiprocessing import forkserver

    multiprocessing.set_forkserver_preload(list(preload))
    resource_tracker.ensure_running()  # starting it later would unblock SIGINT
    try:
        made = _make_folder()
        with signals_blocked():
            forkserver.ensure_running()
    except OSError:  # no temporary folder for its socket, or the folder's name is too long for a socket
        return False
    _kill_at_exit()
    if made:
        remove_stale()  # while the fork server imports
    return True


def forked(
    preload: Sequence[str], target: Callable[..., None], *arguments: Any, patience: float = PATIENCE
) -> BaseProcess:
    """Start a process from the fork server, or a new process when there is no fork server.

    A fork server that does not answer within `patience` seconds is killed. A signal ends the wait.
    """
    if not start_forkserver(preload):
        return spawned(target, *arguments)
    context = multiprocessing.get_context("forkserver")
    process = context.Process(target=target, args=arguments, daemon=True, name="facesieve")
    alarm = threading.Timer(patience, kill_forkserver)
    alarm.daemon = True
    try:
        alarm.start()
        process.start()  # no signal is blocked here, because its children inherit those that the fork server blocks
    except (EOFError, ConnectionError):  # the fork server has died
        return spawned(target, *arguments)
    finally:
        alarm.cancel()
    return process


def spawned(target: Callable[..., None], *arguments: Any) -> BaseProcess:
    """Start a new process. Slower than `forked`, but it does not depend on another process staying alive."""
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=target, args=arguments, daemon=True, name="facesieve")
    _leave_removed_folder()
    with signals_blocked():
        process.start()
    return process


def kill_forkserver() -> None:
    """Kill the fork server and wait until it is dead. The next `forked` starts another."""
    pid = _server_pid()
    with contextlib.suppress(ChildProcessError, ProcessLookupError):
        if pid:
            os.kill(pid, signal.SIGKILL)
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # multiprocessing reaps it


def _leave_removed_folder() -> None:
    """Leave a working folder that was removed: a new process could not start in it."""
    try:
        Path.cwd()
    except FileNotFoundError:
        os.chdir(tempfile.gettempdir() if os.name == "nt" else "/")


@contextlib.contextmanager
def signals_blocked() -> Iterator[None]:
    """Block SIGINT, SIGTERM and SIGHUP; a process started meanwhile keeps them blocked for its whole life."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _BLOCKED)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _make_folder() -> bool:
    """Make a temporary folder for the socket of the fork server, unless multiprocessing already has one."""
    config = getattr(multiprocessing.current_process(), "_config", None)  # it has no public name
    if config is None or config.get("tempdir"):
        return False
    stack = contextlib.ExitStack()
    config["tempdir"] = str(stack.enter_context(temporary_folder()))
    Finalize(None, stack.close, exitpriority=-100)  # after everything that uses it
    return True


@cache
def _kill_at_exit() -> None:
    """Kill the fork server after its children: only the fork server knows how they ended."""
    Finalize(None, _kill_without_wait, exitpriority=-1)


def _kill_without_wait() -> None:
    """Kill the fork server if it still runs. While it imports, it holds our stdout open."""
    pid = _server_pid()
    with contextlib.suppress(ChildProcessError):  # another part of the program may have waited for it
        if pid and os.waitpid(pid, os.WNOHANG) == (0, 0):
            os.kill(pid, signal.SIGKILL)


def _server_pid() -> int | None:
    """The process id of the fork server, if one was started."""
    from multiprocessing import forkserver

    return getattr(forkserver._forkserver, "_forkserver_pid", None)  # it has no public name

"""Connects to a Ray cluster, or starts one on this machine that ends with the build."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.util import find_spec
from typing import Any

from facesieve.errors import UsageError, WorkerError
from facesieve.processes.temporary import remove_stale, temporary_folder
from facesieve.stop import same_stop

LOCAL = "ray"
_CLIENT = "ray://"
_CONNECT_SECONDS = 10.0
_OBJECT_STORE = 100 * 2**20  # bytes; only lists of sources pass through it

# Read by Ray when it is imported or started. What the user has set stays.
_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",  # a cluster that we start sends no statistics
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # silences a warning about GPUs
    "RAY_ENABLE_AUTO_CONNECT": "0",  # a call after the cluster was lost must not start another one
}


def check_address(on: str) -> None:
    """Check `--on` before any work.

    Raises UsageError `bad_address` if it is neither `ray` nor `ray://HOST:PORT`, and `ray_absent` without Ray.
    """
    if on != LOCAL and not (on.startswith(_CLIENT) and on.removeprefix(_CLIENT)):
        raise UsageError("bad_address", f"--on takes ray or ray://HOST:PORT, not {on!r}.")
    client = on.startswith(_CLIENT)
    if not find_spec("ray") or (client and not find_spec("grpc")):
        raise UsageError("ray_absent", "Ray is not installed; run: pip install 'facesieve[ray]'")


@contextmanager
def connected(on: str, processors: int) -> Iterator[Any]:
    """Connect to the cluster that `on` names, and yield the module `ray`.

    on: `ray` is the cluster of RAY_ADDRESS, or without that a new one on this machine, which ends with the block.
    `ray://HOST:PORT` is a cluster that runs elsewhere. If this program is connected already, that connection is used
    and kept.
    processors: of a new cluster. Raises WorkerError `no_cluster` when the cluster cannot be reached or started.
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import ray

    if ray.is_initialized():
        yield ray
        return
    quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    with ExitStack() as stack:
        options: dict[str, Any] = {"address": on if on.startswith(_CLIENT) else os.environ.get("RAY_ADDRESS")}
        if not options["address"]:
            remove_stale()
            folder = stack.enter_context(temporary_folder())
            options = {
                "address": "local",
                "num_cpus": processors,
                "include_dashboard": False,
                "object_store_memory": _OBJECT_STORE,
                "_temp_dir": str(folder),
            }
        else:
            _check_reachable(options["address"])
        stack.callback(_shut_down, ray)
        stack.enter_context(_without_messages())
        with _same_signals(), same_stop():
            try:
                ray.init(**options, **quiet)
            except Exception as error:  # each version of Ray raises other types
                reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
                raise WorkerError(
                    "no_cluster", f"The Ray cluster {options['address']} cannot be used: {reason}"
                ) from error
        yield ray


def _check_reachable(address: str) -> None:
    """Check that something listens at an address, because Ray waits for ever. Raises WorkerError `no_cluster`."""
    found = re.fullmatch(r"(?:ray://)?(.+):(\d+)", address)
    if not found:  # such as `auto`
        return
    try:
        socket.create_connection((found[1].strip("[]"), int(found[2])), _CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error) or "no answer"
        raise WorkerError("no_cluster", f"The Ray cluster {address} cannot be reached: {reason}.") from error


def _shut_down(ray: Any) -> None:
    with _same_signals(), suppress(Exception):  # the connection may be lost
        ray.shutdown()


@contextmanager
def _without_messages() -> Iterator[None]:
    """Keep Ray from printing lost actors and nodes to stdout, which it does even with `log_to_driver=False`.

    Stdout is for results. The build handles what is lost, so there is nothing that the user has to know.
    """
    from ray._private import worker  # there is no public way

    before = getattr(worker, "print_to_stdstream", None)
    worker.print_to_stdstream = lambda *lines, **options: None
    try:
        yield
    finally:
        worker.print_to_stdstream = before


@contextmanager
def _same_signals() -> Iterator[None]:
    """Keep the handler of SIGTERM, which Ray replaces. One that was not set from Python cannot be set again."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if handler is not None:
            signal.signal(signal.SIGTERM, handler)

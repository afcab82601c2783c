"""Sources and pipelines that kill or block their process. In a module, so that worker processes can import them."""

from __future__ import annotations

import os
import signal
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import BinaryIO

from facesieve.errors import ModelError
from facesieve.processes.protocol import run_child
from facesieve.records import Record, Source
from handmade import Handmade


@dataclass(frozen=True)
class Killer:
    """Opening it kills the process, like a crash of a decoder or the kernel's out-of-memory killer."""

    path: Path

    def __call__(self) -> BinaryIO:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("a dead process raises nothing")


@dataclass(frozen=True)
class KillsOnce:
    """Kills the first process that opens it, and is an ordinary file afterwards. trace: a file that marks the first."""

    path: Path
    trace: Path

    def __call__(self) -> BinaryIO:
        if not self.trace.exists():
            self.trace.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.path.open("rb")


class Raising(Handmade):
    """A bug in the pipeline that one picture triggers."""

    def one(self, source: Source) -> Record:
        if source.name == "Grace/006.png":
            raise ZeroDivisionError
        return super().one(source)


def no_model() -> Handmade:
    raise ModelError("model_absent", "Model handmade is not here.")


def dead_on_arrival() -> Handmade:
    os._exit(3)


@dataclass(frozen=True)
class Hangs:
    """Opening it never returns, like a decoder in an endless loop.

    trace: a file; with it only the first process that opens it hangs, stopped by SIGSTOP.
    """

    path: Path
    trace: Path | None = None

    def __call__(self) -> BinaryIO:
        if self.trace is not None and self.trace.exists():
            return self.path.open("rb")
        if self.trace is not None:
            self.trace.touch()
            os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(600)
        raise AssertionError("it is killed before")


@dataclass(frozen=True)
class DiesAtStart:
    """Building the pipeline kills the first `deaths` processes that try. folder: has one file for each of them."""

    folder: Path
    deaths: int

    def __call__(self) -> Handmade:
        for number in range(self.deaths):
            try:
                (self.folder / f"{number}").touch(exist_ok=False)
            except FileExistsError:
                continue
            os.kill(os.getpid(), signal.SIGKILL)
        return Handmade()


class DiesBeforeStart(DiesAtStart):
    """Like its base, but each of these processes dies while it still reads what it has to run."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[Path, int]]:
        return _unpickled, (self.folder, self.deaths)


def _unpickled(folder: Path, deaths: int) -> Callable[[], Handmade]:
    DiesAtStart(folder, deaths)()
    return Handmade


def slow_disk() -> Handmade:
    """A pipeline in a process that waits for ever when it syncs a folder, which is part of a commit."""
    sync = os.fsync

    def slow(descriptor: int) -> None:
        time.sleep(600) if stat.S_ISDIR(os.fstat(descriptor).st_mode) else sync(descriptor)

    os.fsync = slow
    return Handmade()


def idle(pipe: Connection) -> None:
    """A child that handles requests without any result."""
    run_child(pipe, lambda: lambda value, data, send: None)

"""Sources and pipelines that end the process that touches them. Importable, so that worker processes have them."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from facesieve.errors import ModelError
from facesieve.records import Record, Source
from handmade import Handmade


@dataclass(frozen=True)
class Killer:
    """Opening it kills whoever opens it, as a decoder's crash or the kernel's memory killer would."""

    path: Path

    def __call__(self) -> BinaryIO:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("dead processes raise nothing")


@dataclass(frozen=True)
class KillsOnce:
    """Kills the first who opens it, and is an ordinary file from then on. trace: a file that remembers."""

    path: Path
    trace: Path

    def __call__(self) -> BinaryIO:
        if not self.trace.exists():
            self.trace.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return self.path.open("rb")


class Raising(Handmade):
    """A fault in the code itself, on one picture."""

    def one(self, source: Source) -> Record:
        if source.name == "Grace/006.png":
            raise ZeroDivisionError
        return super().one(source)


def no_model() -> Handmade:
    raise ModelError("model_absent", "Model handmade is not here.")


def dead_on_arrival() -> Handmade:
    os._exit(3)

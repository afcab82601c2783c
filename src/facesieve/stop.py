"""Signals that end the command line: each unwinds what is going on, so that no process and no file is left."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# Windows has no SIGHUP.
SIGNALS = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]


class Stopped(SystemExit):
    """A signal asked the program to end; it exits with 128 and the signal's number, as shells report it.

    remark: what the user should know besides, such as how to continue.
    """

    def __init__(self, number: int, remark: str = "") -> None:
        super().__init__(128 + number)
        self.number = number
        self.remark = remark

    def __str__(self) -> str:
        """Who pressed Ctrl-C knows what stopped it; other signals are named."""
        stopped = "stopped" if self.number == signal.SIGINT else f"stopped by {signal.Signals(self.number).name}"
        return f"{stopped}; {self.remark}" if self.remark else stopped


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise `Stopped` in the main thread when a signal comes; afterwards signals are ignored, as the process ends.

    A signal that the caller of the program ignores, as `nohup` does, stays ignored.
    """
    heard = [number for number in SIGNALS if signal.getsignal(number) not in (signal.SIG_IGN, None)]
    for number in heard:
        signal.signal(number, _stop)
    try:
        yield
    finally:
        _ignore(heard)  # the functions that run at exit remove temporary files and must not be interrupted


def _ignore(numbers: list[signal.Signals]) -> None:
    """Ignore these signals, also when one comes meanwhile: at exit Python undoes handlers that are left."""
    while True:
        try:
            for number in numbers:
                signal.signal(number, signal.SIG_IGN)
        except Stopped:
            continue
        return


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped(number)

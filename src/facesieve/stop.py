"""Turns signals that end the command line into exceptions, so that no process and no temporary file is left."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# Windows has no SIGHUP.
SIGNALS = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]

_SOON = 0.05  # seconds


class Stopped(SystemExit):
    """A signal asked the program to end. The exit status is 128 plus the number of the signal, as in shells.

    remark: what else the user should know, such as how to continue.
    """

    def __init__(self, number: int, remark: str = "") -> None:
        super().__init__(128 + number)
        self.number = number
        self.remark = remark

    def __str__(self) -> str:
        """The message for the user. It names the signal, except after Ctrl-C."""
        stopped = "stopped" if self.number == signal.SIGINT else f"stopped by {signal.Signals(self.number).name}"
        return f"{stopped}; {self.remark}" if self.remark else stopped


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise `Stopped` in the main thread when a signal comes. After the block, these signals are ignored until the end.

    A signal that is ignored already, as under `nohup`, stays ignored.
    """
    handled = [number for number in SIGNALS if signal.getsignal(number) not in (signal.SIG_IGN, None)]
    with _raised_again() as stop:
        for number in handled:
            signal.signal(number, stop)
        try:
            yield
        finally:
            _ignore(handled)  # the functions that run at exit remove temporary files and must not be interrupted


@contextmanager
def _raised_again() -> Iterator[Callable[[int, FrameType | None], None]]:
    """A handler that raises `Stopped`, and raises it again if Python ignored it.

    Python ignores exceptions in finalizers and callbacks, so a signal that comes there would be lost. Every import runs
    such a callback. Without timers (on Windows) such a signal is lost.
    """
    if not hasattr(signal, "setitimer"):
        yield _stop
        return
    others, lost = sys.unraisablehook, list[int]()

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        if isinstance(unraisable.exc_value, Stopped):
            lost.append(unraisable.exc_value.number)
            signal.setitimer(signal.ITIMER_REAL, _SOON, _SOON)
        else:
            others(unraisable)

    def stop(number: int, frame: FrameType | None) -> None:
        if frame is not None and frame.f_code is hook.__code__:  # an exception in the hook would be ignored too
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise Stopped(lost[-1] if number == signal.SIGALRM else number)

    sys.unraisablehook, alarm = hook, signal.signal(signal.SIGALRM, stop)
    try:
        yield stop
    finally:
        _ignore([signal.SIGALRM])
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, alarm)
        sys.unraisablehook = others


def _ignore(numbers: list[signal.Signals]) -> None:
    """Ignore these signals, even if one arrives during this call, because Python restores other handlers at exit."""
    while True:
        try:
            for number in numbers:
                signal.signal(number, signal.SIG_IGN)
        except Stopped:
            continue
        return


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped(number)

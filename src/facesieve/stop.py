"""Turns signals that end the command line into exceptions, so that no process and no temporary file is left."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
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
    with _raised_again() as handler:
        for number in handled:
            signal.signal(number, handler)
        try:
            yield
        finally:
            _ignore(handled)  # the functions that run at exit remove temporary files and must not be interrupted


@contextmanager
def same_stop() -> Iterator[None]:
    """Raise the `Stopped` of the handler where a library has replaced it by a plain SystemExit, as Ray does."""
    try:
        yield
    except SystemExit as error:
        handler = signal.getsignal(signal.SIGTERM)
        stopped = handler.raised if isinstance(handler, Handler) else None
        raise stopped or error from None


class Handler:
    """Raises `Stopped` when a signal comes, and raises it again if Python ignored it. raised: the last exception.

    Python ignores exceptions in finalizers and callbacks, so a signal that comes there would be lost. Every import runs
    such a callback. Without timers (on Windows) such a signal is lost.
    """

    def __init__(self) -> None:
        self.raised: Stopped | None = None
        self._others = sys.unraisablehook

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if frame is not None and frame.f_code is Handler.ignored.__code__:  # an exception there would be ignored too
            return
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)
            if number == signal.SIGALRM and self.raised:
                number = self.raised.number
        self.raised = Stopped(number)
        raise self.raised

    def ignored(self, unraisable: sys.UnraisableHookArgs) -> None:
        """The hook for exceptions that Python ignores."""
        if isinstance(unraisable.exc_value, Stopped):
            signal.setitimer(signal.ITIMER_REAL, _SOON, _SOON)
        else:
            self._others(unraisable)


@contextmanager
def _raised_again() -> Iterator[Handler]:
    """Yield a handler to which Python says what it ignores."""
    handler = Handler()
    if not hasattr(signal, "setitimer"):
        yield handler
        return
    others, sys.unraisablehook = sys.unraisablehook, handler.ignored
    alarm = signal.signal(signal.SIGALRM, handler)
    try:
        yield handler
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

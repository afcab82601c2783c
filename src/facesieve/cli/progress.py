"""Shows the progress of a build: a bar on a terminal, a line every few seconds elsewhere, or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from facesieve.run.progress import Progress, StepProgress

if TYPE_CHECKING:
    from facesieve.export.export import ExportProgress
    from facesieve.run.identify import IdentifyProgress

EVERY = 5.0  # seconds between two lines

Watch = Callable[[Progress], None]


@contextmanager
def progress_display(quiet: bool) -> Iterator[Watch]:
    """Yield a function that shows the counts on stderr: a bar if it is a terminal, else lines; nothing if `quiet`."""
    if quiet:
        yield lambda progress: None
    elif sys.stderr.isatty():
        with _bar() as watch:
            yield watch
    else:
        yield _lines()


@contextmanager
def _bar() -> Iterator[Watch]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[counts]}"),
    )
    bar = Bar(*columns, console=Console(stderr=True))
    task = bar.add_task("", total=None, rate="", counts="")
    started: float | None = None

    def watch(progress: Progress) -> None:
        nonlocal started
        if started is None:  # messages about the sources are printed above the bar
            started = time.monotonic()
            bar.start()
        rate = f"{_rate(progress, started):.1f}/s"
        bar.update(task, total=progress.total, completed=progress.reached, rate=rate, counts=_counts(progress))

    try:
        yield watch
    finally:
        if started is not None:
            bar.stop()


def counting_lines(quiet: bool, what: str) -> Callable[[IdentifyProgress | ExportProgress | StepProgress], None]:
    """A function that prints a line to stderr every few seconds; nothing if `quiet`. what: is counted."""
    started, last = time.monotonic(), 0.0

    def watch(progress: IdentifyProgress | ExportProgress | StepProgress) -> None:
        nonlocal last
        now = time.monotonic()
        if quiet or not progress.total or (now - last < EVERY and 0 < progress.done < progress.total):
            return
        last = now
        rate = progress.done / max(now - started, 1e-3)
        print(f"{progress.done}/{progress.total} {what}, {rate:.0f}/s", file=sys.stderr, flush=True)

    return watch


def step_lines(quiet: bool) -> Callable[[StepProgress], None]:
    """A function that shows each step of a command as `counting_lines` does."""
    steps = dict[str, Callable[[StepProgress], None]]()

    def watch(progress: StepProgress) -> None:
        if progress.what not in steps:
            steps[progress.what] = counting_lines(quiet, progress.what)
        steps[progress.what](progress)

    return watch


def _lines() -> Watch:
    started: float | None = None
    last: float | None = None

    def watch(progress: Progress) -> None:
        nonlocal started, last
        now = time.monotonic()
        started = now if started is None else started
        if last is not None and now - last < EVERY and progress.done < progress.total:
            return
        last = now
        print(line(progress, _rate(progress, started)), file=sys.stderr, flush=True)

    return watch


def line(progress: Progress, rate: float) -> str:
    """The counts on one line, with pictures per second and the time left.

    >>> line(Progress(total=100, done=40, refused=1, kept=60, rejected=20), 2.0)
    '40/100 pictures, 2.0/s, 0:00:30 left, 60 kept, 20 rejected, 1 refused'
    """
    words = [f"{progress.done}/{progress.total} pictures"]
    if progress.already:
        words.append(f"{progress.already} already there")
    if rate:
        left = round((progress.total - progress.reached) / rate)
        words += [f"{rate:.1f}/s", f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02} left"]
    return ", ".join([*words, _counts(progress)])


def _counts(progress: Progress) -> str:
    counts = f"{progress.kept} kept, {progress.rejected} rejected, {progress.refused} refused"
    if progress.frames:
        counts += f", {progress.frames} frames of clips"
    # Equal pictures are refused, and faces are compared, only at the end, so the summary may have fewer faces.
    return f"{counts} (before pictures and faces are compared)" if 0 < progress.total == progress.done else counts


def _rate(progress: Progress, started: float) -> float:
    return progress.reached / max(time.monotonic() - started, 1e-3)

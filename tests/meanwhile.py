"""Counts how often another thread runs during a computation, to see whether the computation releases the GIL."""

from __future__ import annotations

import threading
from collections.abc import Callable


def turns_during(work: Callable[[], object]) -> int:
    """How often this thread, which sleeps for a millisecond each time, runs while another thread does the work."""
    done, turns = threading.Event(), 0

    def run() -> None:
        work()
        done.set()

    worker = threading.Thread(target=run)
    worker.start()
    while not done.wait(0.001):
        turns += 1
    worker.join()
    return turns

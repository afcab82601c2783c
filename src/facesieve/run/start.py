"""Start what worker processes need before a build knows its pictures, so that both happen at the same time."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from facesieve.processes.forkserver import start_forkserver
from facesieve.run.plan import PRELOAD, WORTH_A_WORKER, workers

if TYPE_CHECKING:  # this file is light: it is imported before all else
    from facesieve.settings import Settings


def start_workers(sources: Iterable[str], settings: Settings) -> None:
    """Start the fork server where there may be several workers. Calling it again does nothing."""
    # A file is one picture as a rule; how many a folder or a glob holds is not known yet.
    start_for(sum(1 if os.path.isfile(source) else 2 * WORTH_A_WORKER for source in sources), settings)  # noqa: PTH113


def start_for(pictures: int, settings: Settings) -> None:
    """Start the fork server where so many pictures are worth several workers."""
    if workers(settings, pictures) > 1:
        start_forkserver(PRELOAD)

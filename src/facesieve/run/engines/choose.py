"""Chooses the build engine, unless the user asks for one with `on` (`run/build_machines.py`)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from facesieve.processes.cores import cores
from facesieve.run.engines.alone import Alone
from facesieve.run.engines.pool import Pool

if TYPE_CHECKING:  # this file is imported before the heavy packages
    from facesieve.run.engines.engine import BuildEngine
    from facesieve.settings import Settings

PICTURES_PER_WORKER = 8  # for fewer, starting a process costs more than it saves


def engine_for(settings: Settings, pictures: int) -> BuildEngine:
    """The build engine for this number of pictures."""
    workers = workers_for(settings, pictures, cores())
    return Pool(workers) if workers > 1 else Alone()


def workers_for(settings: Settings, pictures: int, processors: int) -> int:
    """The number of workers for this number of pictures, at least 1."""
    allowed = processors if settings.workers == "auto" else settings.workers
    return max(1, min(allowed, -(-pictures // PICTURES_PER_WORKER)))


def prepare_engine(sources: Iterable[str], settings: Settings) -> None:
    """Prepare the build engine that these sources will probably need, before they are searched."""
    # A file usually is one picture. A folder or a glob may hold many.
    pictures = sum(1 if os.path.isfile(source) else 2 * PICTURES_PER_WORKER for source in sources)  # noqa: PTH113
    engine_for(settings, pictures).prepare()

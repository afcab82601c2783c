"""`facesieve work`: jobs from a queue, results to a queue."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facesieve.cli.choices import choose_policy, choose_settings
from facesieve.errors import UsageError


def work(
    queue: Annotated[str, typer.Argument(metavar="REDIS", help="Where the queue is: redis://HOST:6379.")],
    stream: Annotated[str, typer.Option(help="Stream that jobs are read from.")] = "faces:jobs",
    listed: Annotated[
        str | None,
        typer.Option("--list", metavar="NAME", help="Plain list of name@url to read instead of a stream."),
    ] = None,
    group: Annotated[str, typer.Option(help="Group of workers that share the stream.")] = "facesieve",
    results: Annotated[
        str, typer.Option(help="Stream of results; with {id} in it, a key for each result.")
    ] = "faces:results",
    dead: Annotated[str, typer.Option(help="Stream of dead jobs: those whose process died too often.")] = "faces:dead",
    paths: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder whose files jobs may name; without it, jobs may name none."),
    ] = None,
    drain: Annotated[bool, typer.Option("--drain", help="End when no job is left.")] = False,
    policy: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Rules: reference, strict, lenient, or a TOML file.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Number of processes; by default one per core.")] = None,
    settings_file: Annotated[
        Path | None,
        typer.Option("--settings", metavar="FILE", help="TOML file of settings; those of the queue are in [queue]."),
    ] = None,
    setting: Annotated[
        list[str] | None,
        typer.Option("--setting", metavar="NAME=VALUE", help="Change a setting: min_face_size=40. May be repeated."),
    ] = None,
) -> None:
    """Process the jobs of a Redis stream.

    A job is an entry with the field `job`: JSON with `id`, one of `url`, `path` and `image_base64`, and `options`
    as in the query of /v1/faces. With --list, items are `name@url` and are answered in the field names of the
    reference's /upload. On SIGTERM, jobs that have begun are finished and the others are returned.
    """
    check_installed()
    if results.startswith("{id}"):
        # The submitter chooses the id, and with no text before it the id could name any key.
        raise UsageError("bad_results", "--results needs text before {id}, such as face:{id}.")
    import asyncio

    from facesieve.queue.entries import Names
    from facesieve.queue.lifecycle import work as run
    from facesieve.settings import QueueSettings

    chosen = [*(setting or ()), *([f"workers={workers}"] if workers else ())]
    names = Names(listed or stream, group, results, dead)
    counts = asyncio.run(
        run(
            queue,
            names,
            choose_settings(settings_file, chosen),
            QueueSettings.load(settings_file),
            choose_policy(policy).for_pictures(),
            paths,
            drain,
            listed is not None,
            lambda line: typer.echo(line, err=True),
        )
    )
    jobs = "1 job" if counts.finished == 1 else f"{counts.finished} jobs"
    typer.echo(f"{jobs} finished ({counts.refused} refused), {counts.again} tried again, {counts.buried} dead.")


def check_installed() -> None:
    """Raise UsageError if the extra `queue` is not installed."""
    from importlib.util import find_spec

    if not all(find_spec(name) for name in ("redis", "tornado", "prometheus_client")):
        raise UsageError("queue_absent", "Queue workers are not installed; run: pip install 'facesieve[queue]'")

"""`facesieve submit`: jobs for the pictures of files, folders, archives and lists."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from facesieve.cli.choices import choose_policy, choose_settings
from facesieve.errors import UsageError
from facesieve.stop import Stopped


def submit(
    queue: Annotated[str, typer.Argument(metavar="REDIS", help="Where the queue is: redis://HOST:6379.")],
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE", help="Files, folders, archives, lists and URLs of pictures.")
    ],
    stream: Annotated[str, typer.Option(help="Stream of jobs.")] = "faces:jobs",
    paths: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder that the workers share (work --paths): send paths of its files, not the pictures.",
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option", metavar="NAME=VALUE", help="Option of each job, as in the query of /v1/faces. May be repeated."
        ),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(metavar="NAME|FILE", help="The policy of the workers (work --policy), to check options with it."),
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Wait while the stream has this many jobs.")] = 10_000,
) -> None:
    """Put one job for each picture into a Redis stream.

    `facesieve work` processes them. The options of the jobs are checked before the first one is put.
    """
    from facesieve.cli.work import check_installed

    check_installed()
    from facesieve.queue.connection import short_lived_client
    from facesieve.queue.jobs import answer_options
    from facesieve.queue.submit import Submitted
    from facesieve.queue.submit import submit as run
    from facesieve.service.api_errors import ApiError
    from facesieve.sources import SourceOptions, find_sources

    settings, options = choose_settings(), dict(map(_pair, option or ()))
    try:
        answer_options(options, choose_policy(policy), clips=True)  # workers that read none refuse the job
    except ApiError as error:
        raise UsageError(error.code, error.message) from None
    found = find_sources(sources, settings, SourceOptions())
    for line in found.lines():
        typer.echo(line, err=True)
    counts = Submitted()
    try:
        with short_lived_client(queue) as redis:
            run(
                redis,
                stream,
                found.sources,
                options,
                paths,
                settings,
                most,
                counts,
                lambda line: typer.echo(line, err=True),
            )
    except Stopped as stopped:
        raise Stopped(stopped.number, f"{counts.were} submitted to {stream}") from None
    except UsageError:
        if counts.begun:
            typer.echo(f"{counts.were} submitted to {stream} before this error.", err=True)
        raise
    pictures = "1 picture was" if counts.skipped == 1 else f"{counts.skipped} pictures were"
    rest = f"; {pictures} not submitted." if counts.skipped else "."
    typer.echo(f"{counts} submitted to {stream}{rest}")
    if counts.skipped and not counts.put:
        raise typer.Exit(1)


def _pair(given: str) -> tuple[str, Any]:
    name, separator, value = given.partition("=")
    if not separator:
        raise UsageError("bad_option", f"{given!r} is not an option like crops=aligned.")
    return name.strip(), value.strip()

"""`facesieve submit`: jobs for the pictures of files, folders, archives and lists."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from facesieve.cli.choices import choose_settings
from facesieve.errors import UsageError


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
    most: Annotated[int, typer.Option(min=1, help="Wait while the stream has this many jobs.")] = 10_000,
) -> None:
    """Put one job for each picture into a Redis stream.

    `facesieve work` processes them.
    """
    from facesieve.cli.work import check_installed

    check_installed()
    from facesieve.queue.connection import short_lived_client
    from facesieve.queue.submit import submit as run
    from facesieve.sources import SourceOptions, find_sources

    settings = choose_settings()
    found = find_sources(sources, settings, SourceOptions())
    for line in found.lines():
        typer.echo(line, err=True)
    with short_lived_client(queue) as redis:
        put, skipped = run(
            redis,
            stream,
            found.sources,
            dict(map(_pair, option or ())),
            paths,
            settings.max_file_bytes,
            most,
            lambda line: typer.echo(line, err=True),
        )
    typer.echo(f"{put} jobs submitted to {stream}" + (f"; {skipped} pictures were not submitted." if skipped else "."))
    if skipped and not put:
        raise typer.Exit(1)


def _pair(given: str) -> tuple[str, Any]:
    name, separator, value = given.partition("=")
    if not separator:
        raise UsageError("bad_option", f"{given!r} is not an option like crops=aligned.")
    return name.strip(), value.strip()

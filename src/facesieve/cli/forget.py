"""`facesieve forget`: remove sources, pictures, faces or people from a dataset."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from facesieve.errors import UsageError


def forget(
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="Folder that a build wrote, or s3://, gs://, az://.")
    ],
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE|FOLDER|GLOB|ID",
            help="Sources as the manifests name them, folders, archives, globs in quotes, or ids of pictures and faces"
            " (the first 8 digits or more).",
        ),
    ] = None,
    labels: Annotated[
        list[str] | None, typer.Option("--label", metavar="LABEL", help="All pictures under this label.")
    ] = None,
    work_folder: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Working folder of a dataset in a bucket. Default: one in the cache."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Remove pictures, faces or people from a dataset.

    All rows and files made from them are removed. Your photos are not touched, so a build that finds them adds
    them again.
    """
    from facesieve.run.forget import forget_in
    from facesieve.settings import Settings

    if not names and not labels:
        raise UsageError("nothing_named", "Say what to forget: a source, a folder, an id, or --label LABEL.")

    def announce(line: str) -> None:
        typer.echo(line, err=True)

    gone = forget_in(dataset, names or [], Settings.load(), labels or [], work_folder, announce)
    if as_json:
        typer.echo(json.dumps({"dataset": dataset, **asdict(gone)}))
        return
    words = [_many(gone.pictures, "picture"), _many(gone.faces, "face"), f"{_many(gone.files, 'file')} removed"]
    typer.echo(f"forgotten: {', '.join(words)}")
    if gone.whole:
        went = "1 picture was" if gone.whole == 1 else f"{gone.whole} pictures were"
        typer.echo(f"{went} removed with all faces, because the marked copy shows the face")


def _many(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"

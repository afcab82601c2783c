"""`facesieve forget`: remove sources, pictures, faces or people from a dataset."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from facesieve.errors import UsageError


def forget(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder that a build wrote.")],
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE|FOLDER|GLOB|ID...",
            help="Sources as the manifests name them, folders, archives, globs in quotes, or the ids of pictures and"
            " faces, or at least the first 8 digits of an id.",
        ),
    ] = None,
    labels: Annotated[
        list[str] | None, typer.Option("--label", metavar="LABEL", help="All pictures under this label.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Remove sources, pictures, faces or people, and all files made from them.

    The photo itself stays where it is: a build that finds it again adds it again.
    """
    from facesieve.run.forget import forget as run
    from facesieve.settings import Settings

    if not names and not labels:
        raise UsageError("nothing_named", "Say what to forget: a source, a folder, an id, or --label LABEL.")
    gone = run(dataset, names or [], Settings.load(), labels or [])
    if as_json:
        typer.echo(json.dumps({"dataset": str(dataset), **asdict(gone)}))
        return
    words = [_many(gone.pictures, "picture"), _many(gone.faces, "face"), f"{_many(gone.files, 'file')} removed"]
    typer.echo(f"forgotten: {', '.join(words)}")
    if gone.whole:
        went = "1 picture was" if gone.whole == 1 else f"{gone.whole} pictures were"
        typer.echo(f"{went} removed with all faces, because the marked copy shows the face")


def _many(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"

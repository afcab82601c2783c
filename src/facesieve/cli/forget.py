"""`facesieve forget`: a source, a picture or a face leaves a dataset."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer


def forget(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder that a build wrote.")],
    what: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE|PICTURE_ID|FACE_ID", help="As the manifests name it; of an id the first 8 digits or more."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Remove a source, a picture or a face, and all files made from it.

    The photo itself stays where it is: a build that finds it again adds it again.
    """
    from facesieve.run.forget import forget as run
    from facesieve.settings import Settings

    gone = run(dataset, what, Settings.load())
    if as_json:
        typer.echo(json.dumps({"dataset": str(dataset), **asdict(gone)}))
        return
    typer.echo(f"forgotten: {gone.pictures} pictures, {gone.faces} faces, {gone.files} files removed")

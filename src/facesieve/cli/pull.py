"""`facesieve pull`: copy a dataset from a bucket."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def pull(
    dataset: Annotated[str, typer.Argument(metavar="URL", help="Dataset in a bucket: s3://bucket/dataset.")],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="New folder for the copy.")],
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show only the last line.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Copy a finished dataset from a bucket into a folder, for all commands that read datasets.

    After an interruption, run it again to finish.
    """
    from facesieve.run.pull import pull as run

    counts = run(dataset, folder, announce=lambda line: None if quiet else typer.echo(line, err=True))
    if as_json:
        typer.echo(json.dumps({"dataset": str(folder), **counts.as_json()}))
    else:
        typer.echo(counts.line())

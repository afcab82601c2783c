"""`facesieve report`: one page about a whole dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder that a build wrote.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write this file, not DATASET/report.html.")
    ] = None,
    lang: Annotated[
        str | None, typer.Option("--lang", metavar="en|zh", help="Language of the page; else that of the browser.")
    ] = None,
    labels: Annotated[
        int | None, typer.Option("--labels", metavar="N", min=0, help="Rows of labels, those with the most faces; 200.")
    ] = None,
) -> None:
    """Write DATASET/report.html: the funnel, distributions with movable limits, labels, sources and refusals.

    The page is one file that works offline. Reads no picture and runs no network.
    """
    from facesieve.run.write_report import write_report

    typer.echo(f"look at {write_report(dataset, output, lang, labels)}")

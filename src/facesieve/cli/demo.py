"""`facesieve demo`: a complete build of a few real portraits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="Folder for photos and dataset.")
    ] = Path("facesieve-demo"),
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
) -> None:
    """Build a dataset from real portraits and spoiled copies of them."""
    from facesieve.cli.choices import choose_settings
    from facesieve.run.engines.choose import prepare_engine

    photos, dataset = output / "photos", output / "dataset"
    settings = choose_settings()
    prepare_engine([str(photos)], settings)  # worker processes start while this process imports the rest
    from facesieve.cli.progress import progress_display
    from facesieve.cli.table import face_table
    from facesieve.demo import write_photos
    from facesieve.run.open_dataset import open_dataset
    from facesieve.run.recipe import build

    write_photos(photos)
    with progress_display(quiet) as watch:
        result = build(
            photos, dataset, settings=settings, crops=("face", "head"), keep_rejected=True, marked=True, watch=watch
        )
    face_table(open_dataset(dataset))
    typer.echo(f"\nevery face with its numbers and reasons: {dataset / 'contact_sheet.html'}")
    typer.echo(f"the photos with boxes, kept in blue, rejected in magenta: {dataset / 'marked'}")
    typer.echo(f"aligned faces to train on: {dataset / 'kept'}\n")
    typer.echo(result.counts.line())

"""`facesieve demo`: the whole job on a handful of real portraits."""

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
    """Try it on real portraits and spoiled copies of them."""
    from facesieve.cli.build import LabelFrom, call_workers, look, make
    from facesieve.cli.choices import choose_policy, choose_settings
    from facesieve.cli.table import face_table
    from facesieve.dataset.files import Outputs
    from facesieve.dataset.read import read
    from facesieve.demo import write_photos
    from facesieve.sources import SourceOptions

    photos, dataset = output / "photos", output / "dataset"
    settings, unlabelled = choose_settings(), LabelFrom.none
    call_workers([str(photos)], settings)
    write_photos(photos)
    outputs = Outputs(keep_rejected=True, cuts=("face", "head"), marked=True)
    found = look([str(photos)], dataset, settings, SourceOptions())
    built = make(found.sources, dataset, settings, choose_policy(), outputs, unlabelled, quiet)
    face_table(read(dataset))
    typer.echo(f"\nopen     {dataset / 'contact_sheet.html'}   every face, its numbers and the reasons")
    typer.echo(f"see also {dataset / 'marked'}   the photos with boxes: kept in blue, rejected in magenta")
    typer.echo(f"train on {dataset / 'kept'}   aligned faces\n")
    typer.echo(built.counts.line())

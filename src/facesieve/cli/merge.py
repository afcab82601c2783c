"""`facesieve merge`: datasets that were built apart become one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from facesieve.stop import Stopped


def merge(
    parts: Annotated[list[Path], typer.Argument(metavar="PART", help="Datasets that were built in the same way.")],
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="DATASET", help="Folder of the new dataset, or s3://, gs://, az://."),
    ],
    given: Annotated[
        list[str] | None,
        typer.Option("--setting", metavar="NAME=VALUE", help="Change a setting of the output: sheet_faces=1000."),
    ] = None,
    settings_file: Annotated[
        Path | None, typer.Option("--settings", metavar="FILE", help="TOML file of settings.")
    ] = None,
    allow_mixed_engines: Annotated[
        bool,
        typer.Option("--allow-mixed-engines", help="Merge datasets of different inference engines, and record all."),
    ] = False,
    work_folder: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Working folder of a dataset in a bucket. Default: one in the cache."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show only the last line, no progress.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Join datasets that were built apart, such as with `build --shard`, into one.

    The result is the dataset that one build of all sources makes. The parts do not change. After an
    interruption, run it again to finish.
    """
    from facesieve.cli.choices import choose_settings
    from facesieve.cli.notes import inside, label_notes, refused_notes
    from facesieve.cli.progress import step_lines
    from facesieve.run.merge import merge as run

    settings = choose_settings(settings_file, given or [])
    try:
        result = run(
            parts,
            output,
            allow_mixed_engines=allow_mixed_engines,
            work_folder=work_folder,
            settings=settings,
            watch=step_lines(quiet),
            announce=lambda line: None if quiet else typer.echo(line, err=True),
        )
    except Stopped as stopped:
        raise Stopped(stopped.number, f"the same command continues {output}") from None
    if as_json:
        beside = {
            "pictures_with_several_kept_faces_under_one_label": result.shared_labels,
            "pictures_under_several_labels": result.several_labels,
            "repeated": result.repeated,
            "first_refused": [picture.as_json() for picture in result.refused],
        }
        typer.echo(json.dumps({"dataset": output, **result.counts.as_json(), **beside}))
        return
    for note in label_notes(result.shared_labels, result.several_labels):
        typer.echo(note, err=True)
    if not quiet:
        for line in refused_notes(result.refused, result.counts, output):
            typer.echo(line, err=True)
        typer.echo(f"look at {inside(output, 'contact_sheet.html')}")
    typer.echo(result.counts.line())

"""`facesieve decisions`: what people decided about single faces, as a list or a CSV file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from facesieve.errors import UsageError


def decisions(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder that a build or sieve wrote.")],
    to: Annotated[
        Path | None, typer.Option("--export", metavar="FILE.csv", help="Write the decisions to a CSV file.")
    ] = None,
    source: Annotated[
        Path | None, typer.Option("--import", metavar="FILE.csv", help="Take over the decisions of a CSV file.")
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Write manifests, contact sheet and folders of crops again.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show, export, import or apply decisions by hand.

    They are made on the page of `facesieve review`. `sieve`, `export` and `explain` follow them at once; `--apply` also
    moves the crops and writes the manifests of this dataset, as the next build does.
    """
    from facesieve.dataset.decision_file import change_decisions
    from facesieve.dataset.disk.new_file import check_new
    from facesieve.review.exchange import read_csv, write_csv
    from facesieve.run.apply import apply_decisions
    from facesieve.run.open_dataset import open_dataset
    from facesieve.settings import Settings

    if to is not None and source is not None:
        raise UsageError("two_directions", "Use --export or --import, not both.")
    if to is not None:
        check_new(to, ".csv")
    opened = open_dataset(dataset)
    held = change_decisions(opened.layout, read_csv(source)) if source is not None else opened.decisions
    summary: dict[str, object] = {"dataset": str(dataset), **held.counts()}
    if to is not None:
        summary["exported"] = write_csv(held, to)
    if source is not None:
        summary["unknown_faces"] = opened.count_unknown(held)
    if apply:
        summary["counts"] = apply_decisions(dataset, Settings.load()).as_json()
    if as_json:
        typer.echo(json.dumps(summary))
        return
    typer.echo("decisions: {kept} kept, {rejected} rejected, {relabelled} with another label".format(**held.counts()))
    if summary.get("unknown_faces"):
        typer.echo(
            f"note: {summary['unknown_faces']} are about faces that {dataset} does not have yet",
            err=True,
        )
    if apply:
        typer.echo(open_dataset(dataset).about.counts.line())

"""`facesieve stats`: what is in a dataset, from its tables alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from facesieve.errors import UsageError

SHOWN = 50  # groups; --json has all


def stats(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder that a build wrote.")],
    by: Annotated[
        str | None, typer.Option("--by", metavar="label|source|reason", help="Count faces in groups instead.")
    ] = None,
    least: Annotated[int, typer.Option("--min-per-label", metavar="N", help="Count labels with fewer kept faces.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what is in a dataset: the funnel, labels, percentiles of each measure, and poses.

    Reads no picture and runs no network.
    """
    from facesieve.report.stats import group_counts, lines, statistics
    from facesieve.run.open_dataset import open_dataset

    found = open_dataset(dataset)
    if by is None:
        whole = statistics(found)
        summary = {**whole.as_json(), "labels_below_minimum": whole.below(least)}
        typer.echo(json.dumps(summary, indent=2) if as_json else "\n".join(lines(whole, least)))
        return
    if by not in ("label", "source", "reason"):
        raise UsageError("bad_group", f"--by {by!r} is unknown; write label, source or reason.")
    groups = group_counts(found, by)  # type: ignore[arg-type]
    if as_json:
        typer.echo(json.dumps(groups, indent=2, ensure_ascii=False))
        return
    typer.echo(f"{'faces':>10} {'kept':>10}  {by}")
    for name, counts in list(groups.items())[:SHOWN]:
        typer.echo(f"{counts['faces']:>10,} {counts['kept']:>10,}  {name or '(none)'}")
    if len(groups) > SHOWN:
        typer.echo(f"... and {len(groups) - SHOWN:,} more; --json has all")

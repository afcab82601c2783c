"""`facesieve check`: find missing and damaged files of a dataset, and repair what can be repaired."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facesieve.errors import DatasetError

if TYPE_CHECKING:
    from facesieve.run.faults import CheckResult


def check(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder that a build wrote.")],
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Repair what can be repaired without the pictures, and add missing checksums."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check that every file of a dataset is there and whole.

    Exits 2 when something is wrong. After --repair, run the same build again: it restores what was lost.
    """
    from facesieve.run.check import check_dataset
    from facesieve.run.repair import repair_dataset
    from facesieve.settings import Settings

    before = check_dataset(dataset)
    after = repair_dataset(dataset, Settings.load()) if repair else before
    if as_json:
        typer.echo(json.dumps({"dataset": str(dataset), **after.as_json(), "found": before.as_json()["faults"]}))
    else:
        _tell(before, after, repair)
    if after.faults:
        number = "1 file" if len(after.faults) == 1 else f"{len(after.faults)} files"
        advice = "run the same build again, with the pictures" if repair else "repair it with --repair"
        if after.unreadable:
            advice = "this user has no permission to read some; change their permissions or owner"
        elif not after.continuable:
            advice = "judge the original dataset again with `facesieve sieve`"
        raise DatasetError("damaged_dataset", f"Faults in {number} of {dataset}; {advice}.")


def _tell(before: CheckResult, after: CheckResult, repair: bool) -> None:
    for fault in before.faults:
        outcome = "" if not repair or fault in after.faults else "   repaired"
        if outcome and fault.name in before.gone_parts:
            outcome = "   its rows are gone"
        if outcome and fault.name == "people.parquet":
            outcome = "   removed; run `facesieve people` again"
        typer.echo(f"{fault.code:<9} {fault.name}{outcome}")
    for name in after.foreign:
        typer.echo(f"foreign   {name}   not written by a build; left alone")
    if marked := after.undone - len(after.lost.pictures):
        typer.echo(f"{marked} picture{'s' * (marked > 1)} will be processed again by the next build")
    if after.without_sum:
        have = "file has" if after.without_sum == 1 else "files have"
        typer.echo(f"{after.without_sum} {have} no checksum; --repair adds it")
    if not after.faults:
        typer.echo(f"{after.files} files are undamaged")
    if not after.continuable:
        typer.echo("This dataset has no ledger: it can be read and judged again, but no pictures can be added.")
    if after.lost.parts:
        typer.echo(after.lost.line())

"""`facesieve check`: is a dataset whole, and what can be set right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facesieve.errors import DatasetError

if TYPE_CHECKING:
    from facesieve.run.check import Report


def check(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder that a build wrote.")],
    repair: Annotated[
        bool, typer.Option("--repair", help="Set right what can be without the pictures, and add missing checksums.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look whether every file of a dataset is there, whole, and named by a row.

    Exits 2 when something is wrong. After --repair, run the same build again: it does again what was lost.
    """
    from facesieve.run.check import check_dataset
    from facesieve.run.repair import repair_dataset
    from facesieve.settings import Settings

    before = check_dataset(dataset)
    after = repair_dataset(dataset, Settings.load()) if repair else before
    if as_json:
        typer.echo(json.dumps({"dataset": str(dataset), **after.plain(), "found": before.plain()["faults"]}))
    else:
        _tell(before, after, repair)
    if after.faults:
        number = f"{len(after.faults)} file{'s' * (len(after.faults) > 1)}"
        wayout = "run the same build again, with the pictures" if repair else "--repair sets right what can be"
        if not after.continuable:
            wayout = "judge the original again with `facesieve sieve`"
        raise DatasetError("damaged_dataset", f"{number} of {dataset} not as written; {wayout}.")


def _tell(before: Report, after: Report, repair: bool) -> None:
    for fault in before.faults:
        mended = "" if not repair or fault in after.faults else "   set right"
        if mended and fault.name in before.gone_parts:
            mended = "   its rows are gone"
        typer.echo(f"{fault.code:<9} {fault.name}{mended}")
    for name in after.foreign:
        typer.echo(f"foreign   {name}   not written by a build; left alone")
    if marked := after.undone - len(after.lost.pictures):
        typer.echo(f"{marked} picture{'s' * (marked > 1)} will be done again by the next build")
    if after.without_sum:
        typer.echo(f"{after.without_sum} files have no checksum; --repair adds it")
    if not after.faults:
        typer.echo(f"{after.files} files are whole")
    if not after.continuable:
        typer.echo("it has no ledger of its inputs: it can be used and judged again, and cannot be added to")
    if after.lost.parts:
        typer.echo(after.lost.line())

"""`facesieve export`: a finished dataset in the formats that trainers read."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facesieve.errors import UsageError
from facesieve.stop import Stopped

if TYPE_CHECKING:
    from facesieve.export.export import Exported


def export(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder that a build wrote.")],
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="FORMAT",
            help="imagefolder, webdataset, parquet, recordio, pairs, coco, csv or jsonl.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT", help="A new folder for the export.")
    ] = None,
    verify: Annotated[
        Path | None,
        typer.Option(metavar="OUT", help="Read an export back, and compare every face with the dataset."),
    ] = None,
    image: Annotated[str, typer.Option(metavar="FORM", help="png, jpeg:95 or webp:90.")] = "",
    size: Annotated[
        int | None, typer.Option(metavar="PIXELS", help="Cut the crops again from the pictures, in this size.")
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where the pictures for --size are, if they have moved.")
    ] = None,
    split: Annotated[str, typer.Option(metavar="NAME=SHARE,...", help="train=0.8,val=0.1,test=0.1")] = "",
    by: Annotated[
        str | None,
        typer.Option(
            metavar="label|face|source",
            help="What a split never divides: labels (the default if there are any), pictures, or archives.",
        ),
    ] = None,
    where: Annotated[
        str, typer.Option(metavar="EXPRESSION", help="Take only these faces: \"abs(yaw) < 20 and label != 'x'\".")
    ] = "",
    rejected: Annotated[bool, typer.Option("--rejected", help="Take rejected faces too.")] = False,
    min_per_label: Annotated[int, typer.Option(metavar="N", help="Leave out labels with fewer faces.")] = 1,
    max_per_label: Annotated[
        int | None, typer.Option(metavar="N", help="Of each label take the fittest N, of many poses.")
    ] = None,
    balance: Annotated[
        str, typer.Option(metavar="pose", help="Take as many faces turned to each side as frontal ones.")
    ] = "",
    pairs: Annotated[int, typer.Option(metavar="N", help="How many pairs the format `pairs` has.")] = 6000,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the order, the splits and the pairs.")] = 0,
    licence: Annotated[str, typer.Option("--license", metavar="NAME", help="Licence of the faces, for the card.")] = "",
    consent: Annotated[
        str, typer.Option("--consent-note", metavar="TEXT", help="How the people consented, for the card.")
    ] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only the last line.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write the faces of a dataset in a format that trainers read.

    After an interruption, the same command continues. OUT does not exist until it is whole.
    """
    from facesieve.cli.progress import counting_lines
    from facesieve.export.export import export_dataset
    from facesieve.export.verify import verify_export
    from facesieve.settings import Settings

    watch = counting_lines(quiet or as_json, "faces")
    if verify is not None:
        if to or output or image or size or split or where:
            raise UsageError(
                "two_choices", "--verify reads an export as it was made; leave out --to, -o and the options of exports."
            )
        faces = verify_export(dataset, verify, Settings.load(), watch, pictures)
        summary = json.dumps({"export": str(verify), "faces": faces})
        typer.echo(summary if as_json else f"{faces:,} faces are as they were exported")
        return
    if to is None or output is None:
        raise UsageError("nothing_named", "Say what to write and where: --to FORMAT -o OUT.")
    try:
        done = export_dataset(
            dataset,
            to,
            output,
            image=image,
            size=size,
            split=split,
            by=by,
            where=where,
            rejected=rejected,
            min_per_label=min_per_label,
            max_per_label=max_per_label,
            balance=balance,
            pairs=pairs,
            seed=seed,
            licence=licence,
            consent=consent,
            pictures=pictures,
            watch=watch,
        )
    except Stopped as stopped:
        raise Stopped(stopped.number, f"the same command continues {output}") from None
    _tell(done, output, quiet, as_json)


def _tell(done: Exported, output: Path, quiet: bool, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"export": str(output), **asdict(done)}))
        return
    for note in done.notes:
        typer.echo(f"note: {note}", err=True)
    if not quiet:
        for reason, number in done.left_out.items():
            typer.echo(f"{number:,} left out: {reason}")
    splits = ", ".join(f"{name} {number:,}" for name, number in done.splits.items())
    labels = "label" if done.classes == 1 else "labels"
    typer.echo(f"{done.faces:,} faces of {done.classes:,} {labels}: {splits}")

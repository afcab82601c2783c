"""`facesieve forget`: remove sources, pictures, faces or people from a dataset."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facesieve.errors import UsageError

if TYPE_CHECKING:
    from facesieve.run.forget import Forgotten


def forget(
    dataset: Annotated[
        str, typer.Argument(metavar="DATASET", help="Folder that a build wrote, or s3://, gs://, az://.")
    ],
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SOURCE|FOLDER|GLOB|ID",
            help="Sources as the manifests name them, folders, archives, globs in quotes, or ids of pictures and faces"
            " (the first 8 digits or more).",
        ),
    ] = None,
    sources: Annotated[
        list[str] | None, typer.Option("--source", metavar="GLOB", help="The same as without --source.")
    ] = None,
    labels: Annotated[
        list[str] | None, typer.Option("--label", metavar="LABEL", help="All pictures under this label.")
    ] = None,
    faces: Annotated[
        list[str] | None, typer.Option("--face", metavar="ID", help="A face, by the first 8 digits of its id or more.")
    ] = None,
    pictures: Annotated[
        list[str] | None,
        typer.Option("--picture", metavar="FILE", help="All pictures with the bytes of this file, under any name."),
    ] = None,
    missing: Annotated[bool, typer.Option("--missing", help="All sources whose files no longer exist.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Really forget; else a terminal only shows it.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be forgotten.")] = False,
    work_folder: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Working folder of a dataset in a bucket. Default: one in the cache."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Remove pictures, faces or people from a dataset.

    All rows and files made from them are removed. Your photos are not touched. Salted hashes stay, so that no build
    adds them again without --allow-again.
    """
    from facesieve.run.forget import forget_in
    from facesieve.run.selection import Named
    from facesieve.settings import Settings

    named = Named([*(names or []), *(sources or [])], labels or [], faces or [], pictures or [], missing)
    if not named.all and not missing:
        raise UsageError("nothing_named", "Say what to forget: a source, a folder, an id, or --label LABEL.")
    if yes and dry_run:
        raise UsageError("two_choices", "Choose one of --yes and --dry-run.")

    def announce(line: str) -> None:
        typer.echo(line, err=True)

    only_say = dry_run or not (yes or not (sys.stdin.isatty() and sys.stdout.isatty()))
    gone = forget_in(dataset, named, Settings.load(), work_folder, announce, only_say)
    if as_json:
        typer.echo(json.dumps({"dataset": dataset, **_plain(gone), "dry_run": only_say}))
        return
    _tell(gone, only_say)


def _plain(gone: Forgotten) -> dict[str, Any]:
    exports = [{"export": one.output, "faces": one.faces, "dataset": one.dataset} for one in gone.exports]
    return {**asdict(gone), "exports": exports}


def _tell(gone: Forgotten, only_say: bool) -> None:
    words = [_many(gone.pictures, "picture"), _many(gone.faces, "face")]
    words += [] if only_say else [f"{_many(gone.files, 'file')} removed"]
    typer.echo(f"{'would be forgotten' if only_say else 'forgotten'}: {', '.join(words)}")
    if gone.whole:
        went = ("would be" if only_say else "was" if gone.whole == 1 else "were") + " removed"
        typer.echo(f"{_many(gone.whole, 'picture')} {went} with all faces, because the marked copy shows the face")
    for export in gone.exports:
        what, again = ("a dataset", "judge again") if export.dataset else ("an export", "export again")
        typer.echo(f"{what} has {_many(export.faces, 'face')} of them: {export.output}; delete it or {again}")
    if only_say:
        typer.echo("nothing was changed; the same command with --yes forgets it")


def _many(number: int, word: str) -> str:
    return f"{number} {word}{'s' * (number != 1)}"

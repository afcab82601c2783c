"""`facesieve explain`: why faces were kept or rejected, and why pictures were refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facesieve.errors import UsageError

if TYPE_CHECKING:
    from facesieve.report.explain import Explanation
    from facesieve.report.near_limit import NearFace
    from facesieve.run.open_dataset import Dataset

SHOWN = 20  # faces of one picture; --json has all
_ID = re.compile("[0-9a-fA-F]{1,32}")


def explain(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder that a build wrote.")],
    face_or_picture: Annotated[
        str | None,
        typer.Argument(metavar="FACE_ID|PICTURE", help="Id of a face or its first digits, or the name of a picture."),
    ] = None,
    refused: Annotated[bool, typer.Option("--refused", help="List all pictures that were refused.")] = False,
    reason: Annotated[
        str | None, typer.Option(metavar="REASON", help="List the faces nearest to the limits of this reason.")
    ] = None,
    nearest: Annotated[int, typer.Option(metavar="N", min=1, help="Number of faces on each side of a limit.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Explain why one face was kept or rejected, or what came of one picture.

    A picture may be named by its path, its file name, or the end of its path. Each of its faces is explained.
    """
    from facesieve.run.open_dataset import open_dataset

    if (face_or_picture is not None) + refused + (reason is not None) != 1:
        raise UsageError("bad_explain", "Name one face or picture, or write --refused or --reason REASON.")
    opened = open_dataset(dataset)
    if reason is not None:
        _list_nearest(opened, reason, nearest, as_json)
    elif face_or_picture is None:
        _list_refused(opened, as_json)
    elif explanation := _of_face(opened, face_or_picture):
        typer.echo(json.dumps(explanation.as_json(), indent=2) if as_json else "\n".join(explanation.lines()))
    else:
        _explain_picture(opened, face_or_picture, as_json)


def _of_face(dataset: Dataset, prefix: str) -> Explanation | None:
    """The explanation of the face with this id; None if no id starts with it."""
    if not _ID.fullmatch(prefix):
        return None
    try:
        return dataset.explain(prefix)
    except UsageError as error:
        if error.code == "no_such_face":
            return None
        raise


def _explain_picture(dataset: Dataset, name: str, as_json: bool) -> None:
    from facesieve.report.explain import explain_row
    from facesieve.report.pictures import pictures_named

    pictures = pictures_named(dataset, name)
    faces = dataset.faces_of(pictures[0].source) if any(picture.faces for picture in pictures) else []
    if as_json:
        found = [explain_row(dataset, face).as_json() for face in faces]
        typer.echo(json.dumps({"pictures": [picture.as_json() for picture in pictures], "faces": found}, indent=2))
        return
    for picture in pictures:
        typer.echo(picture.line())
    for face in faces[:SHOWN]:
        typer.echo("\n" + "\n".join(explain_row(dataset, face).lines()))
    if len(faces) > SHOWN:
        typer.echo(f"\n... and {len(faces) - SHOWN:,} more faces; --json has all")


def _list_refused(dataset: Dataset, as_json: bool) -> None:
    from facesieve.report.pictures import refused_pictures

    if as_json:
        _print_list(picture.as_json() for picture in refused_pictures(dataset))
        return
    refused = (f"{picture.source}: {picture.refusal}: {picture.message}" for picture in refused_pictures(dataset))
    typer.echo(next(refused, "no picture was refused"))
    for line in refused:
        typer.echo(line)


def _list_nearest(dataset: Dataset, reason: str, number: int, as_json: bool) -> None:
    from facesieve.report.near_limit import faces_near_limit

    faces = faces_near_limit(dataset, reason, number)
    typer.echo(json.dumps([face.as_json() for face in faces], indent=2) if as_json else _lines(faces))


def _lines(faces: list[NearFace]) -> str:
    return "\n".join(face.line() for face in faces) or "no face has the measures of this reason"


def _print_list(values: Iterator[dict[str, Any]]) -> None:
    """Print a JSON list with one value per line, without holding all values in memory."""
    typer.echo("[", nl=False)
    for number, value in enumerate(values):
        typer.echo(",\n " if number else "", nl=False)
        typer.echo(json.dumps(value), nl=False)
    typer.echo("]")

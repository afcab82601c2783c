"""`facesieve people`: whether the faces of each label belong together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from facesieve.run.people import LabelSummary, People


def people(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder that a build wrote.")],
    against: Annotated[
        Path | None, typer.Option(metavar="DATASET", help="Also find faces and people of this dataset, held out.")
    ] = None,
    min_faces: Annotated[
        int | None, typer.Option(metavar="N", min=2, help="Faces that a label needs; else the setting of the build.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only the last line.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show whether the faces of each label belong together.

    Compares the kept faces by their embeddings and hashes, and writes DATASET/people.parquet. It reads no picture and
    runs no network. Faces that the policy rejected, such as `other_person` of `gallery`, are not compared.
    """
    from facesieve.run.open_dataset import open_dataset

    found = open_dataset(dataset).people(against=against, min_label_faces=min_faces, write=True)
    for note in found.notes:
        typer.echo(f"note: {note}", err=True)
    if as_json:
        typer.echo(json.dumps({"dataset": str(dataset), **found.as_json()}))
        return
    if not quiet:
        _print_labels(found)
        for finding in found.findings:
            typer.echo(f"{finding.kind}: {finding.text}")
    typer.echo(_last_line(found))


def _print_labels(found: People) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Column, Table

    from facesieve.cli.table import WIDE

    names = ("faces", "kept", "spread", "suspicious", "duplicates")
    columns = [Column(name, justify="right") for name in names]
    table = Table(Column("label", overflow="fold"), *columns, "most like", "findings", box=None, pad_edge=False)
    for one in found.labels:
        table.add_row(escape(one.label or "(no label)"), *_cells(one))
    console = Console()
    (console if console.is_terminal else Console(width=WIDE)).print(table)


def _cells(one: LabelSummary) -> list[str]:
    from rich.markup import escape

    spread = "–" if one.spread is None else f"{one.spread:.2f}"
    like = "–" if one.resembles is None else f"{escape(one.resembles)} ({one.resembles_distance:.2f})"
    counts = [str(one.faces), str(one.kept), spread, str(len(one.suspicious)), str(one.duplicates)]
    return [*counts, like, ", ".join(one.findings)]


def _last_line(found: People) -> str:
    kinds = dict[str, int]()
    for finding in found.findings:
        kinds[finding.kind] = kinds.get(finding.kind, 0) + 1
    labels = sum(bool(one.label) for one in found.labels)
    listed = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    findings = f"{_counted(len(found.findings), 'finding')} ({listed})" if listed else "no findings"
    return f"{_counted(labels, 'label')} | {findings}"


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"

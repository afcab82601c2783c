"""`facesieve explain`: why one face was kept or rejected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def explain(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder that a build wrote.")],
    face_id: Annotated[str, typer.Argument(metavar="FACE_ID", help="Id of the face, or its first digits.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Explain why one face was kept or rejected."""
    from facesieve.run.open_dataset import open_dataset

    explanation = open_dataset(dataset).explain(face_id)
    if as_json:
        typer.echo(json.dumps(explanation.as_json(), indent=2))
    else:
        typer.echo("\n".join(explanation.lines()))

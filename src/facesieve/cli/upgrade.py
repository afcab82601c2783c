"""`facesieve upgrade`: rewrite a dataset of an earlier version in the current format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def upgrade(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder that an earlier version wrote.")],
) -> None:
    """Convert a dataset of an earlier version.

    Pictures, crops and verdicts do not change. If it is interrupted, run it again.
    """
    from facesieve.run.upgrade import upgrade as run

    typer.echo(f"{dataset} now has the format of this version" if run(dataset) else f"{dataset} needs no upgrade")

"""`facesieve identify`: add embeddings to a finished dataset, or remove them."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from facesieve.errors import UsageError
from facesieve.stop import Stopped


def identify(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder that a build wrote.")],
    identity: Annotated[
        str | None, typer.Option(metavar="MODEL|none", help="dlib-resnet or sface; none removes all embeddings.")
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option("--setting", metavar="NAME=VALUE", help="Change a setting: threads=4."),
    ] = None,
    settings_file: Annotated[
        Path | None, typer.Option("--settings", metavar="FILE", help="TOML file of settings.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show only the last line, no progress.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON on stdout.")] = False,
) -> None:
    """Add embeddings to a dataset, from its crops.

    Embeddings tell whether faces under one label are of one person. They are biometric data: docs/identity.md says
    what that means. Run it again to go on after an interruption.
    """
    from facesieve.cli.choices import choose_settings
    from facesieve.cli.progress import counting_lines
    from facesieve.run.identify import identify as run

    settings = choose_settings(settings_file, [*(given or []), *([f"identity={identity}"] if identity else [])])
    if settings.identity == "none" and identity is None:
        raise UsageError("no_model_named", "Name a model: --identity dlib-resnet; or none, to remove embeddings.")
    try:
        result = run(dataset, settings=settings, watch=counting_lines(quiet, "crops"))
    except Stopped as stopped:
        done = stopped.remark or "what was finished is kept"
        raise Stopped(stopped.number, f"{done}, and the same command continues {dataset}") from None
    if as_json:
        typer.echo(json.dumps({"dataset": str(dataset), **asdict(result)}))
        return
    if result.model == "none":
        typer.echo(f"{dataset} has no embeddings")
        return
    without = ", ".join(f"{count} {reason}" for reason, count in result.missing.items())
    typer.echo(f"{result.embedded} of {result.faces} faces have an embedding" + (f" ({without})" if without else ""))

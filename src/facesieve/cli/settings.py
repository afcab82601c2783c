"""`facesieve settings`: every setting with its default and sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer


def settings(
    file: Annotated[
        Path | None, typer.Option("--settings", metavar="FILE", help="TOML file of settings to show.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print every setting, its default and meaning."""
    from facesieve.settings import Settings

    now = Settings.load(file)
    rows = [
        {
            "name": name,
            "value": _plain(getattr(now, name)),
            "default": _plain(field.get_default(call_default_factory=True)),
            "environment": f"FACESIEVE_{name.upper()}",
            "meaning": field.description,
        }
        for name, field in Settings.model_fields.items()
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        changed = "" if row["value"] == row["default"] else f"   (default {row['default']})"
        typer.echo(f"{row['name']} = {row['value']}{changed}\n    {row['meaning']}\n    {row['environment']}")


def _plain(value: Any) -> Any:
    match value:
        case tuple():
            return list(value)
        case Path():
            return str(value)
        case _:
            return value

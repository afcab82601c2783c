"""`facesieve settings`: every setting with its default and sentence, also those of the service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer


def settings(
    file: Annotated[
        Path | None, typer.Option("--settings", metavar="FILE", help="TOML file of settings to show.")
    ] = None,
    service: Annotated[bool, typer.Option("--service", help="Settings of the HTTP service instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print every setting, its default and meaning."""
    from facesieve.settings import Layered, ServiceSettings, Settings

    kind: type[Layered] = ServiceSettings if service else Settings
    now = kind.load(file)
    rows = [
        {
            "name": name,
            "value": _shown(name, getattr(now, name)),
            "default": _plain(field.get_default(call_default_factory=True)),
            "environment": kind.variable(name),
            "meaning": field.description,
        }
        for name, field in kind.model_fields.items()
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        changed = "" if row["value"] == row["default"] else f"   (default {row['default']})"
        typer.echo(f"{row['name']} = {row['value']}{changed}\n    {row['meaning']}\n    {row['environment']}")


def _shown(name: str, value: Any) -> Any:
    """The value as it may be shown: of tokens only how many there are."""
    if name == "tokens" and value:
        return f"{len(value)} set, not shown"
    return _plain(value)


def _plain(value: Any) -> Any:
    match value:
        case tuple():
            return list(value)
        case Path():
            return str(value)
        case _:
            return value

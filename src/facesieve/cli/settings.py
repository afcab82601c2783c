"""`facesieve settings`: every setting with its value, default and meaning, also those of the service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import typer

from facesieve.errors import SettingsError, UsageError

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo


def settings(
    file: Annotated[
        Path | None, typer.Option("--settings", metavar="FILE", help="TOML file of settings to show.")
    ] = None,
    service: Annotated[bool, typer.Option("--service", help="Settings of the HTTP service instead.")] = False,
    queue: Annotated[bool, typer.Option("--queue", help="Settings of queue workers instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print every setting, its default and meaning."""
    from facesieve.settings import Layered, QueueSettings, ServiceSettings, Settings

    if service and queue:
        raise UsageError("two_kinds", "--service and --queue show different settings; choose one.")
    kind: type[Layered] = ServiceSettings if service else QueueSettings if queue else Settings
    now = kind.load(file)
    rows = [
        {
            "name": name,
            "value": _shown(name, getattr(now, name)),
            "default": _default(field),
            "environment": kind.variable(name),
            "choices": choices(field.annotation),
            "meaning": field.description,
        }
        for name, field in kind.model_fields.items()
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        default = "none" if row["default"] is None else row["default"]
        changed = "" if row["value"] == row["default"] else f"   (default {default})"
        words = f"\n    one of: {', '.join(map(str, row['choices']))}" if row["choices"] else ""
        typer.echo(f"{row['name']} = {row['value']}{changed}\n    {row['meaning']}\n    {row['environment']}{words}")


def choices(kind: Any) -> list[Any]:
    """The values that a setting may have, where they are listed; else []."""
    return list(get_args(kind)) if get_origin(kind) is Literal else []


def _shown(name: str, value: Any) -> Any:
    """The value as it may be printed: for tokens only how many there are."""
    if name == "tokens" and value:
        return f"{len(value)} set, not shown"
    return _plain(value)


def _default(field: FieldInfo) -> Any:
    """The default; None where this machine has none, such as a cache folder for a user without a home."""
    try:
        return _plain(field.get_default(call_default_factory=True))
    except SettingsError:
        return None


def _plain(value: Any) -> Any:
    match value:
        case tuple():
            return list(value)
        case Path():
            return str(value)
        case _:
            return value

"""`facesieve settings`: every setting with its value, default and meaning, also those of the service."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import typer

from facesieve.errors import SettingsError, UsageError

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

HIDDEN = "set, not shown"


def settings(
    file: Annotated[
        Path | None, typer.Option("--settings", metavar="FILE", help="TOML file of settings to show.")
    ] = None,
    service: Annotated[bool, typer.Option("--service", help="Settings of the HTTP service instead.")] = False,
    queue: Annotated[bool, typer.Option("--queue", help="Settings of queue workers instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print every setting, its default and meaning, in the form of a settings file."""
    from facesieve.layered import Layered
    from facesieve.settings import QueueSettings, ServiceSettings, Settings

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
    if kind.table:
        typer.echo(f"[{kind.table}]\n")
    typer.echo("\n\n".join(_as_toml(row) for row in rows))


def _as_toml(row: dict[str, Any]) -> str:
    """One setting as lines of a settings file: what it means, and its value. A value without TOML is a comment."""
    lines = [f"# {row['meaning']}", f"# {row['environment']}"]
    if row["choices"]:
        lines.append(f"# one of: {', '.join(map(str, row['choices']))}")
    if row["value"] != row["default"]:
        lines.append("# default: " + ("none" if row["default"] is None else json.dumps(row["default"])))
    if row["value"] is None or row["value"] == HIDDEN:
        lines.append(f"# {row['name']}: {row['value'] or 'none'}")
    else:
        lines.append(f"{row['name']} = {json.dumps(row['value'], ensure_ascii=False)}")
    return "\n".join(lines)


def choices(kind: Any) -> list[Any]:
    """The values that a setting may have, where they are listed; else []."""
    return list(get_args(kind)) if get_origin(kind) is Literal else []


def _shown(name: str, value: Any) -> Any:
    """The value as it may be printed: tokens are hidden."""
    return HIDDEN if name == "tokens" and value else _plain(value)


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

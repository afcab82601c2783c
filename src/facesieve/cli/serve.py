"""`facesieve serve`: the HTTP service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facesieve.errors import UsageError

_NEEDED = ("tornado", "prometheus_client", "python_multipart")


def serve(
    address: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Requests at work at once, a process each; 0 is a core each.")
    ] = None,
    policy: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Rules: reference, strict, lenient, or a TOML file.")
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File of accepted tokens, one a line.")
    ] = None,
    log: Annotated[str | None, typer.Option(metavar="json|console", help="Form of the log on stderr.")] = None,
    settings_file: Annotated[
        Path | None,
        typer.Option("--settings", metavar="FILE", help="TOML file of settings; the service's in [service]."),
    ] = None,
) -> None:
    """Answer over HTTP what the pipeline says of pictures.

    Every other setting of the service is in the settings file or in FACESIEVE_SERVICE_<NAME>.
    """
    _check_installed()
    import asyncio

    from facesieve.service.lifecycle import run
    from facesieve.settings import ServiceSettings, Settings
    from facesieve.sieve import Policy

    options = {
        "address": address,
        "port": port,
        "workers": workers,
        "policy": policy,
        "token_file": token_file,
        "log": log,
    }
    given = {name: value for name, value in options.items() if value is not None}
    service = ServiceSettings.load(settings_file, **given)
    rules = Policy.load(service.policy)
    asyncio.run(run(Settings.load(settings_file), service, rules, lambda line: typer.echo(line)))


def _check_installed() -> None:
    from importlib.util import find_spec

    if not all(find_spec(name) for name in _NEEDED):
        raise UsageError("service_absent", "The service is not installed; run: pip install 'facesieve[service]'")

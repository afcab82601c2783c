"""`facesieve serve`: the HTTP service."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facesieve.errors import UsageError

if TYPE_CHECKING:
    from facesieve.service.log import Log

_NEEDED = ("tornado", "prometheus_client", "structlog", "python_multipart", "h11")


def serve(
    address: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 chooses a free one.")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Worker processes, each for one request at a time; 0 means one per core.")
    ] = None,
    policy: Annotated[
        str | None, typer.Option(metavar="NAME|FILE", help="Rules: reference, strict, lenient, or a TOML file.")
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File of accepted tokens, one per line.")
    ] = None,
    log: Annotated[str | None, typer.Option(metavar="json|console", help="Format of the log on stderr.")] = None,
    log_level: Annotated[
        str | None, typer.Option(metavar="debug|info|warning|error", help="Lines below this level are not logged.")
    ] = None,
    settings_file: Annotated[
        Path | None,
        typer.Option(
            "--settings", metavar="FILE", help="TOML file of settings; those of the service are in [service]."
        ),
    ] = None,
) -> None:
    """Serve the pipeline over HTTP.

    Set other settings of the service in the settings file or as FACESIEVE_SERVICE_<NAME>;
    `facesieve settings --service` lists them.
    """
    _check_installed()
    import asyncio

    from facesieve.service.consistency import check_settings
    from facesieve.service.lifecycle import run
    from facesieve.service.log import service_log
    from facesieve.settings import ServiceSettings, Settings
    from facesieve.sieve import Policy

    options = {
        "address": address,
        "port": port,
        "workers": workers,
        "policy": policy,
        "token_file": token_file,
        "log": log,
        "log_level": log_level,
    }
    given = {name: value for name, value in options.items() if value is not None}
    settings = Settings.load(settings_file)
    service = ServiceSettings.load(settings_file, **given)
    check_settings(service)
    rules = Policy.load(service.policy).for_pictures()
    with service_log(service.log, service.log_level) as lines:
        asyncio.run(run(settings, service, rules, lines, lambda line: _say(line, lines)))


def _say(line: str, log: Log) -> None:
    """Print a line for the operator. If nobody reads stdout, the service logs that and goes on."""
    try:
        typer.echo(
            line, file=sys.__stdout__ or sys.stdout
        )  # raises OSError; the stream that other commands use would only note the error
    except OSError as error:
        log.warning("stdout", error=error.strerror)
        # At exit, Python would try to write the line again, fail, and exit with its own status.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _check_installed() -> None:
    from importlib.util import find_spec

    if not all(find_spec(name) for name in _NEEDED):
        raise UsageError("service_absent", "The service is not installed; run: pip install 'facesieve[service]'")

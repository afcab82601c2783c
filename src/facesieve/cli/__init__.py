"""The command line: one file per command. Heavy modules are imported by the command that needs them."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Annotated

import typer

from facesieve.cli.build import build
from facesieve.cli.check import check
from facesieve.cli.decisions import decisions
from facesieve.cli.demo import demo
from facesieve.cli.doctor import doctor
from facesieve.cli.explain import explain
from facesieve.cli.export import export
from facesieve.cli.fit import fit
from facesieve.cli.forget import forget
from facesieve.cli.identify import identify
from facesieve.cli.merge import merge
from facesieve.cli.people import people
from facesieve.cli.pull import pull
from facesieve.cli.queue import queue
from facesieve.cli.report import report
from facesieve.cli.review import review
from facesieve.cli.serve import serve
from facesieve.cli.settings import settings
from facesieve.cli.sieve import sieve
from facesieve.cli.stats import stats
from facesieve.cli.submit import submit
from facesieve.cli.upgrade import upgrade
from facesieve.cli.work import work
from facesieve.errors import FacesieveError
from facesieve.version import __version__


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"facesieve {__version__}")
        raise typer.Exit


def _about(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Photos in; a clean, aligned, explainable face dataset out."""


def application() -> typer.Typer:
    """The command and its sub-commands."""
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.callback()(_about)
    commands = (
        build,
        merge,
        pull,
        sieve,
        explain,
        stats,
        fit,
        report,
        export,
        check,
        forget,
        identify,
        people,
        review,
        decisions,
        upgrade,
        serve,
        work,
        submit,
        queue,
        settings,
        doctor,
        demo,
    )
    for command in commands:
        app.command()(command)
    if find_spec("facesieve.cli.models"):
        from facesieve.cli.models import app as models

        app.add_typer(models, name="models")
    return app


def main() -> None:
    """Run the command line. A FacesieveError becomes one sentence on stderr and an exit status."""
    try:
        application()(prog_name="facesieve")
    except FacesieveError as error:
        typer.echo(f"error: {error.message} [{error.code}]", err=True)
        sys.exit(error.exit_status)

"""`facesieve review`: a local page to look through a finished dataset and to decide about faces by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from facesieve.errors import UsageError


def review(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder that a build or sieve wrote.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 chooses a free one.")] = 0,
    who: Annotated[str, typer.Option(metavar="NAME", help="Your name in decisions. Default: your account.")] = "",
    language: Annotated[
        str | None, typer.Option("--lang", metavar="CODE", help="Language of the page. Default: of the browser.")
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in your browser.")] = False,
) -> None:
    """Look through a dataset in a browser, move limits, and decide about faces by hand.

    The page is only for this machine. Decisions are stored at once, in DATASET/decisions.parquet. Ctrl-C ends it.
    """
    from importlib.util import find_spec

    if not find_spec("tornado"):
        raise UsageError("service_absent", "The server is not installed; run: pip install 'facesieve[service]'")
    import asyncio
    import webbrowser

    from facesieve.review.server import serve
    from facesieve.review.session import Session
    from facesieve.settings import Settings

    def announce(address: str) -> None:
        typer.echo(f"{dataset}: {address}")
        typer.echo("Open this address. Ctrl-C ends the review; decisions are stored at once.", err=True)
        if open_page:
            webbrowser.open(address)

    asyncio.run(serve(Session(dataset, Settings.load(), who), port, language, announce))

